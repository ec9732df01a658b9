// A web service and the cluster that it uses: dotnet run --project samples/OrdersApi.AppHost
// Then: curl localhost:5210/orders -H 'Content-Type: application/json' -d '{"article":"tea","count":2}'
var builder = DistributedApplication.CreateBuilder(args);

var registry = builder.AddRedis("registry");

var fluster = builder.AddFluster("fluster")
    .WithDataDirectory(builder.Configuration["data"] ?? ".fluster")
    .WithRegistry(registry)
    .WithWorkers(2);

builder.AddProject<Projects.OrdersApi>("orders")
    .WithReference(fluster)
    .WaitFor(fluster)
    .WithHttpHealthCheck("/health");

builder.Build().Run();
