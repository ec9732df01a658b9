using GreeterService;
using Fluster.Actors;

// A service of an application that has a cluster: it hosts an actor, and calls it as anybody else would.
var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddFlusterClient("fluster");
builder.Services.AddSingleton<Words>();
builder.Services.AddFlusterActor<IGreeter, Greeter>();
var app = builder.Build();
app.MapDefaultEndpoints();
app.MapGet("/greet/{name}", async (string name, IActorClientFactory actors) =>
{
    using var client = actors.CreateClient<IGreeter>("greeter");
    return await client.Actor.GreetAsync(name);
});
app.Run();
