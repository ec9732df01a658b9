using Fluster.Actors;
using Fluster.Cluster;
using OrdersApi;

// A web service that uses a cluster: it hosts an actor, calls it, and submits jobs. Its AppHost, samples/OrdersApi.AppHost, starts both.
var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddFlusterClient("fluster");
builder.Services.AddSingleton(Catalog.Default);
builder.Services.AddFlusterActor<IStock, Stock>();

var app = builder.Build();
app.MapDefaultEndpoints();

app.MapGet("/stock", async (IActorClientFactory actors) =>
{
    using var stock = actors.CreateClient<IStock>("stock");
    return await stock.Actor.LeftAsync();
});

app.MapPost("/orders", async (Order order, IActorClientFactory actors, IClusterController cluster) =>
{
    if (!Catalog.Default.Articles.ContainsKey(order.Article) || order.Count < 1)
    {
        return Results.BadRequest($"An order is some of {string.Join(", ", Catalog.Default.Articles.Keys)}, and at least one.");
    }

    using var stock = actors.CreateClient<IStock>("stock");
    if (!await stock.Actor.TakeAsync(order.Article, order.Count))
    {
        return Results.Conflict($"There are not so many of {order.Article}.");
    }

    var job = await cluster.SubmitAsync(() => Billing.BillAsync(order), new JobOptions { Name = "bill" });
    return Results.Accepted($"/orders/{job.Id}", new { Job = job.Id.ToString() });
});

app.MapGet("/orders/{job}", async (string job, IClusterController cluster) =>
{
    if (!JobId.TryParse(job, out var id))
    {
        return Results.BadRequest($"'{job}' is not the id of an order.");
    }

    try
    {
        var order = new JobHandle<Invoice>(cluster, id);
        var state = (await order.GetStatusAsync()).State;
        return Results.Ok(new { Job = job, State = state.ToString(), Invoice = state == JobState.Succeeded ? await order.ResultAsync() : null });
    }
    catch (ClusterException exception) when (exception.Error == ClusterError.NotFound)
    {
        return Results.NotFound($"There is no order '{job}'.");
    }
});

app.Run();
