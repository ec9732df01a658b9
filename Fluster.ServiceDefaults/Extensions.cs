using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Microsoft.Extensions.Hosting;

/// <summary>What every service of the application has in common: telemetry, health, service discovery.</summary>
public static partial class Extensions
{
    /// <summary>Every check that is registered: may this service be sent work?</summary>
    internal const string HealthPath = "/health";

    /// <summary>Only the checks tagged "live": is this process able to answer at all?</summary>
    internal const string AlivePath = "/alive";

    private const string LiveTag = "live";

    /// <summary>Adds telemetry, health checks and service discovery for every <see cref="HttpClient"/>.</summary>
    public static TBuilder AddServiceDefaults<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        builder.ConfigureOpenTelemetry();
        builder.AddDefaultHealthChecks();
        builder.Services.AddServiceDiscovery();
        builder.Services.ConfigureHttpClientDefaults(http => http.AddServiceDiscovery());
        return builder;
    }

    /// <summary>Adds the check "self", tagged "live": it is healthy whenever the process can answer.</summary>
    public static TBuilder AddDefaultHealthChecks<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        builder.Services.AddHealthChecks().AddCheck("self", () => HealthCheckResult.Healthy(), [LiveTag]);
        return builder;
    }

    /// <summary>
    /// Maps GET /health and GET /alive. Both answer one word and need no token, so they are mapped in every
    /// environment: an orchestrator must be able to ask, and there is nothing in the answer to protect.
    /// </summary>
    public static WebApplication MapDefaultEndpoints(this WebApplication app)
    {
        Open(app.MapHealthChecks(HealthPath));
        Open(app.MapHealthChecks(AlivePath, new HealthCheckOptions { Predicate = check => check.Tags.Contains(LiveTag) }));
        return app;

        static void Open(IEndpointConventionBuilder endpoint) => endpoint
            .WithMetadata(new HttpMethodMetadata(["GET"]))
            .AllowAnonymous()
            .DisableHttpMetrics();
    }
}
