using Fluster.Cluster;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Fluster.Actors;

/// <summary>Whether the controller answers.</summary>
internal sealed class FlusterHealthCheck(FlusterClient client) : IHealthCheck
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_patience);
        try
        {
            await client.EndpointRegistry.LookupAsync(client.Namespace, "fluster-health", limit.Token).ConfigureAwait(false);
            return HealthCheckResult.Healthy();
        }
        catch (ClusterException exception)
        {
            return new HealthCheckResult(context.Registration.FailureStatus, exception.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new HealthCheckResult(context.Registration.FailureStatus, $"The controller at {client.Address} did not answer within {s_patience.TotalSeconds} s.");
        }
    }
}
