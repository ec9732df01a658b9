using Microsoft.Extensions.Diagnostics.HealthChecks;

// A service that tells what it was started with. Its health is what the file named by PROBE_HEALTH says, when there is one.
var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
var health = builder.Configuration["PROBE_HEALTH"];
builder.Services.AddHealthChecks().AddCheck("file", () =>
    health is null || File.Exists(health) ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy());
var app = builder.Build();
app.MapDefaultEndpoints();
app.MapGet("/environment/{name}", (string name, IConfiguration configuration) => configuration[name] ?? "(none)");
app.MapGet("/arguments", () => string.Join('|', args));
app.MapGet("/name", (IHostEnvironment environment) => environment.EnvironmentName);
// Calls another service by its logical address.
app.MapGet("/call", (string address, IHttpClientFactory clients, CancellationToken stop) => clients.CreateClient().GetStringAsync(new Uri(address), stop));
app.Run();
