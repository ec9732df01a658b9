// The whole cluster on this machine: dotnet run --project Fluster.AppHost [-- --fresh] [-- --data=DIRECTORY]
const string Fresh = "--fresh"; // Deletes what an earlier run has left.
var builder = DistributedApplication.CreateBuilder([.. args.Where(argument => argument != Fresh)]);

var registry = builder.AddRedis("registry");

var controller = builder.AddProject<Projects.Fluster_Controller>("controller");
var worker1 = builder.AddProject<Projects.Fluster_Worker>("worker-1");
var worker2 = builder.AddProject<Projects.Fluster_Worker>("worker-2");

builder.AddFluster("fluster")
    .WithDataDirectory(builder.Configuration["data"] ?? ".fluster", args.Contains(Fresh))
    .WithRegistry(registry)
    .WithController(controller)
    .WithWorker(worker1)
    .WithWorker(worker2);

builder.Build().Run();
