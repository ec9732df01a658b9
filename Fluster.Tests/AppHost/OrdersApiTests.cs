using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Aspire.Hosting.Testing;

namespace Fluster.Tests;

/// <summary>samples/OrdersApi under its AppHost: a web service that hosts an actor of the cluster, calls it, and submits jobs.</summary>
public class OrdersApiTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(120);

    [Fact]
    public async Task Order_TakesFromStock_AndItsJobAsksTheServiceForThePrice()
    {
        using var directory = new TemporaryDirectory();
        var context = directory.File("context.json");
        await using var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.OrdersApi_AppHost>([$"--data={directory.File("data")}"]).WaitAsync(s_limit);
        await using var app = await builder.BuildAsync().WaitAsync(s_limit);
        await app.StartAsync().WaitAsync(s_limit);
        await app.ResourceNotifications.WaitForResourceHealthyAsync("orders").WaitAsync(s_limit);
        using var client = app.CreateHttpClient("orders");

        using var accepted = await client.PostAsJsonAsync("/orders", new { article = "tea", count = 2 });
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        var order = "";
        await Eventually.True(
            async () => (order = await client.GetStringAsync(accepted.Headers.Location)).Contains("Succeeded", StringComparison.Ordinal),
            () => order);
        var invoice = JsonDocument.Parse(order).RootElement.GetProperty("invoice");
        Assert.Equal((2, 900), (invoice.GetProperty("count").GetInt32(), invoice.GetProperty("cents").GetInt32()));
        Assert.EndsWith(invoice.GetProperty("madeBy").GetString()!, accepted.Headers.Location!.ToString(), StringComparison.Ordinal);
        Assert.Equal("""{"tea":8,"coffee":5}""", await client.GetStringAsync("/stock"));

        Assert.Equal(HttpStatusCode.Conflict, await OrderAsync("coffee", 6));
        Assert.Equal(HttpStatusCode.BadRequest, await OrderAsync("milk", 1));
        Assert.Equal(HttpStatusCode.BadRequest, await OrderAsync("tea", 0));
        using var unknown = await client.GetAsync("/orders/bill-00000000");
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);

        // Whoever has the connection string can call the service's actor.
        var connection = await app.GetConnectionStringAsync("fluster").AsTask().WaitAsync(s_limit);
        Assert.Matches("^Endpoint=http://[a-z0-9.]+:[0-9]+;Http=http://[a-z0-9.]+:[0-9]+;Token=[^;]+;Namespace=default;ClusterKey=[^;]+$", connection);
        using var call = CliProcess.Start(await ContextAsync(connection!, context), "actor", "call", "stock", "PriceAsync", "coffee");
        Assert.Equal((0, "890\n"), (await call.ExitAsync(), call.Out));

        async Task<HttpStatusCode> OrderAsync(string article, int count)
        {
            using var answer = await client.PostAsJsonAsync("/orders", new { article, count });
            return answer.StatusCode;
        }
    }

    /// <summary>A context file of a cluster that is known by its connection string.</summary>
    private static async Task<string> ContextAsync(string connection, string path)
    {
        var parts = connection.Split(';').Select(part => part.Split('=', 2)).ToDictionary(part => part[0], part => part[1], StringComparer.Ordinal);
        await File.WriteAllTextAsync(path, JsonSerializer.Serialize(new
        {
            current = "orders",
            contexts = new { orders = new { address = parts["Endpoint"], token = parts["Token"], clusterKey = parts["ClusterKey"], @namespace = parts["Namespace"] } },
        }));
        return path;
    }
}
