using Aspire.Hosting;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Fluster.Hosting;

/// <summary>A worker listens on no port, so the controller is asked: it is healthy when the cluster gives it work.</summary>
internal sealed class WorkerHealthCheck(FlusterResource fluster, string worker, TimeProvider time) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            var answer = await ControllerCalls.CallAsync(fluster, time, "ListWorkers", [], cancellationToken);
            var state = answer?["workers"]?.AsArray().FirstOrDefault(candidate => (string?)candidate?["workerId"] == worker)?["state"];
            return (string?)state switch
            {
                "Alive" => HealthCheckResult.Healthy(),
                null => HealthCheckResult.Unhealthy("The controller has not heard of it yet."),
                var other => HealthCheckResult.Unhealthy($"For the controller it is {other}."),
            };
        }
        catch (DistributedApplicationException exception)
        {
            return HealthCheckResult.Unhealthy(exception.Message, exception);
        }
    }
}
