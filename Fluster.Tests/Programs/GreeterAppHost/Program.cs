// An application with a cluster and a service that hosts an actor in it.
var builder = DistributedApplication.CreateBuilder(args);
var controller = builder.AddProject<Projects.Fluster_Controller>("controller");
var worker = builder.AddProject<Projects.Fluster_Worker>("worker-1");
var fluster = builder.AddFluster("fluster")
    .WithDataDirectory(builder.Configuration["data"]!)
    .WithController(controller)
    .WithWorker(worker);
builder.AddProject<Projects.GreeterService>("greeter-service")
    .WithReference(fluster)
    .WaitFor(fluster)
    .WithHttpHealthCheck("/health");
builder.Build().Run();
