using System.Diagnostics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Fluster.ServiceDefaults;

/// <summary>
/// Exports traces and metrics while the host runs. The framework's own sources and meters are listened to directly,
/// so no instrumentation package is needed.
/// </summary>
internal sealed class TelemetryExport(string application, IConfiguration configuration) : IHostedService, IDisposable
{
    private static readonly string[] s_sources = ["Microsoft.AspNetCore", "System.Net.Http", "Fluster.*"];

    private static readonly string[] s_meters =
    [
        "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Net.Http", "System.Runtime", "Fluster",
    ];

    private TracerProvider? _traces;
    private MeterProvider? _metrics;

    /// <summary>What the telemetry is about. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over the application's name.</summary>
    public static ResourceBuilder Resource(string application) => ResourceBuilder.CreateEmpty()
        .AddService(application, autoGenerateServiceInstanceId: false)
        .AddTelemetrySdk()
        .AddEnvironmentVariableDetector();

    public Task StartAsync(CancellationToken cancellationToken)
    {
        // ASP.NET Core describes its request spans (method, path, status) only when asked to.
        AppContext.SetSwitch("Microsoft.AspNetCore.Hosting.SuppressActivityOpenTelemetryData", false);

        _traces = Sdk.CreateTracerProviderBuilder()
            .ConfigureServices(UseConfiguration)
            .SetResourceBuilder(Resource(application))
            .AddSource(application)
            .AddSource(s_sources)
            .AddProcessor(new HealthProbeFilter())
            .AddOtlpExporter()
            .Build();
        _metrics = Sdk.CreateMeterProviderBuilder()
            .ConfigureServices(UseConfiguration)
            .SetResourceBuilder(Resource(application))
            .AddMeter(s_meters)
            .AddOtlpExporter()
            .Build();
        return Task.CompletedTask;

        // The exporter reads OTEL_* from here; on its own it would see only the process environment.
        void UseConfiguration(IServiceCollection services) => services.AddSingleton(configuration);
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        Dispose(); // Flushes what is still queued.
        return Task.CompletedTask;
    }

    public void Dispose()
    {
        _traces?.Dispose();
        _metrics?.Dispose();
        _traces = null;
        _metrics = null;
    }

    /// <summary>Health probes arrive every few seconds for ever and say nothing: their spans are not exported.</summary>
    internal sealed class HealthProbeFilter : BaseProcessor<Activity>
    {
        public override void OnEnd(Activity data)
        {
            if (data.Kind == ActivityKind.Server &&
                data.GetTagItem("url.path") is Extensions.HealthPath or Extensions.AlivePath)
            {
                data.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
            }
        }
    }
}
