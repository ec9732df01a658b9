// An AppHost to kill and to interrupt: a Redis, a service, a program, and a script given as the first argument.
var builder = DistributedApplication.CreateBuilder(args);
var registry = builder.AddRedis("registry");
var service = builder.AddProject<Projects.ProbeService>("service").WithHttpHealthCheck("/health");
builder.AddExecutable("script", "sh", ".", "-c", args[0]).WithReference(service).WithReference(registry, optional: true).WaitFor(service);
builder.AddExecutable("quick", "sh", ".", "-c", "echo quick; exit 3");
builder.Build().Run();
