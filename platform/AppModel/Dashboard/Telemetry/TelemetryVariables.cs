using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.Dashboard;

/// <summary>Tells a resource, in the variables that OpenTelemetry defines, who it is and where its telemetry goes.</summary>
internal static class TelemetryVariables
{
    private const string EverySecond = "1000"; // ms: what was done is seen while one still looks

    public static async Task AddAsync(EnvironmentCallbackContext context, IConfiguration configuration)
    {
        var variables = context.EnvironmentVariables;
        var resource = context.Resource.Name;
        if (context.ExecutionContext.IsPublishMode)
        {
            return; // Where it is deployed to, there is another place for telemetry.
        }

        variables["OTEL_SERVICE_NAME"] = resource;
        var services = context.ExecutionContext.Services;
        if (await services.GetRequiredService<DashboardServer>().Otlp.WaitAsync(context.CancellationToken) is { } dashboard)
        {
            variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = dashboard.Address;
            variables["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf";
            variables["OTEL_EXPORTER_OTLP_HEADERS"] = $"{OtlpReceiver.KeyHeader}={dashboard.ApiKey}";
        }
        else if ((configuration["ASPIRE_DASHBOARD_OTLP_HTTP_ENDPOINT_URL"] ?? configuration["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"]) is { Length: > 0 } other)
        {
            // No dashboard of ours: somebody else's may be there.
            variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = other;
            variables["OTEL_EXPORTER_OTLP_PROTOCOL"] = configuration["ASPIRE_DASHBOARD_OTLP_HTTP_ENDPOINT_URL"] is { Length: > 0 } ? "http/protobuf" : "grpc";
        }
        else
        {
            return;
        }

        if (EndpointAnnotation.Instance is { } instance && instance.Length > resource.Length + 1)
        {
            variables["OTEL_RESOURCE_ATTRIBUTES"] = $"service.instance.id={instance[(resource.Length + 1)..]}";
        }

        variables["OTEL_DOTNET_EXPERIMENTAL_OTLP_RETRY"] = "in_memory";
        if (services.GetRequiredService<IHostEnvironment>().IsDevelopment())
        {
            variables["OTEL_DOTNET_EXPERIMENTAL_ASPNETCORE_DISABLE_URL_QUERY_REDACTION"] = "true";
            variables["OTEL_DOTNET_EXPERIMENTAL_HTTPCLIENT_DISABLE_URL_QUERY_REDACTION"] = "true";
            variables["OTEL_BLRP_SCHEDULE_DELAY"] = EverySecond;
            variables["OTEL_BSP_SCHEDULE_DELAY"] = EverySecond;
            variables["OTEL_METRIC_EXPORT_INTERVAL"] = EverySecond;
            variables["OTEL_TRACES_SAMPLER"] = "always_on";
            variables["OTEL_METRICS_EXEMPLAR_FILTER"] = "trace_based";
        }
    }
}
