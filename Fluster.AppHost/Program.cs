// The whole cluster on this machine: dotnet run --project Fluster.AppHost [-- --fresh] [-- --data=DIRECTORY]
const string Fresh = "--fresh"; // Deletes what an earlier run has left.
var builder = DistributedApplication.CreateBuilder([.. args.Where(argument => argument != Fresh)]);

var registry = builder.AddRedis("registry");

builder.AddFluster("fluster")
    .WithDataDirectory(builder.Configuration["data"] ?? ".fluster", args.Contains(Fresh))
    .WithRegistry(registry)
    .WithWorkers(2);

builder.Build().Run();
