using Fluster.ServiceDefaults;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Logs;

namespace Microsoft.Extensions.Hosting;

public static partial class Extensions
{
    private const string OtlpEndpointKey = "OTEL_EXPORTER_OTLP_ENDPOINT";

    /// <summary>
    /// Sends traces, metrics and logs over OTLP when OTEL_EXPORTER_OTLP_ENDPOINT is set (the other OTEL_* variables
    /// are honoured by the exporter); otherwise adds nothing.
    /// </summary>
    public static TBuilder ConfigureOpenTelemetry<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        if (string.IsNullOrWhiteSpace(builder.Configuration[OtlpEndpointKey]))
        {
            return builder;
        }

        var application = builder.Environment.ApplicationName;
        builder.Logging.AddOpenTelemetry(logging =>
        {
            logging.IncludeFormattedMessage = true;
            logging.IncludeScopes = true;
            logging.SetResourceBuilder(TelemetryExport.Resource(application));
            logging.AddOtlpExporter();
        });
        builder.Services.AddHostedService(services =>
            new TelemetryExport(application, services.GetRequiredService<IConfiguration>()));
        return builder;
    }
}
