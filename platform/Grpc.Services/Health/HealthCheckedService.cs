using Grpc.AspNetCore.HealthChecks;
using Grpc.Core;
using Grpc.Health.V1;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using static Grpc.Health.V1.HealthCheckResponse.Types;

namespace Grpc.HealthCheck;

/// <summary>grpc.health.v1 over this program's health checks: Check runs them, Watch hears of the periodic runs.</summary>
internal sealed class HealthCheckedService(HealthServiceImpl published, HealthCheckService checks, IOptions<GrpcHealthChecksOptions> options)
    : Health.V1.Health.HealthBase
{
    public override async Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context)
    {
        var status = await RunAsync(request.Service, context.CancellationToken);
        return status is ServingStatus.ServiceUnknown
            ? throw new RpcException(new Status(StatusCode.NotFound, ""))
            : new HealthCheckResponse { Status = status };
    }

    public override async Task Watch(HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        // The first watcher should not wait for the next period to learn what is so now.
        if (await RunAsync(request.Service, context.CancellationToken) is var status and not ServingStatus.ServiceUnknown)
        {
            published.SetStatus(request.Service, status);
        }

        await published.Watch(request, responseStream, context);
    }

    private async Task<ServingStatus> RunAsync(string service, CancellationToken cancellationToken)
    {
        if (options.Value.Services.FirstOrDefault(mapping => mapping.Name == service) is not { } mapping)
        {
            return ServingStatus.ServiceUnknown;
        }

        var report = await checks.CheckHealthAsync(mapping.Covers, cancellationToken);
        return HealthPublisher.Serving(report.Entries.Values.Select(entry => entry.Status));
    }
}

/// <summary>Hands what the periodic health checks found to those who watch.</summary>
internal sealed class HealthPublisher(HealthServiceImpl published, IOptions<GrpcHealthChecksOptions> options, IOptions<HealthCheckServiceOptions> checks)
    : IHealthCheckPublisher
{
    // A degraded service still serves.
    public static ServingStatus Serving(IEnumerable<HealthStatus> checks) =>
        checks.Contains(HealthStatus.Unhealthy) ? ServingStatus.NotServing : ServingStatus.Serving;

    public Task PublishAsync(HealthReport report, CancellationToken cancellationToken)
    {
        foreach (var mapping in options.Value.Services)
        {
            var covered = checks.Value.Registrations.Where(mapping.Covers).Select(check => check.Name).ToHashSet(StringComparer.OrdinalIgnoreCase);
            published.SetStatus(mapping.Name, Serving(report.Entries.Where(entry => covered.Contains(entry.Key)).Select(entry => entry.Value.Status)));
        }

        return Task.CompletedTask;
    }
}
