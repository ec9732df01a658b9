using System.Globalization;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.Running;

/// <summary>The client of all HTTP health checks. It makes no spans and follows no redirects: what the resource answers itself counts.</summary>
internal sealed class HealthClient : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);

    private readonly HttpClient _client = new(new SocketsHttpHandler
    {
        ActivityHeadersPropagator = null,
        AllowAutoRedirect = false,
        PooledConnectionLifetime = TimeSpan.FromMinutes(1),
        UseProxy = false,
    })
    {
        Timeout = s_limit,
    };

    public async Task<int> GetStatusAsync(Uri address, CancellationToken cancellationToken)
    {
        using var response = await _client.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        return (int)response.StatusCode;
    }

    public void Dispose() => _client.Dispose();
}

/// <summary>A resource is healthy when it answers a GET with the right status.</summary>
internal sealed class HttpHealthCheck(HealthClient client, Func<CancellationToken, ValueTask<Uri>> where, int statusCode) : IHealthCheck
{
    /// <summary>Checks a path of an endpoint.</summary>
    public HttpHealthCheck(HealthClient client, EndpointReference endpoint, string path, int statusCode)
        : this(client, _ => endpoint.IsAllocated ? new(new Uri(new Uri(endpoint.Url), path)) : throw new DistributedApplicationException($"The endpoint '{endpoint.EndpointName}' has no address yet."), statusCode)
    {
    }

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        Uri address;
        try
        {
            address = await where(cancellationToken);
        }
        catch (DistributedApplicationException exception)
        {
            return HealthCheckResult.Unhealthy(exception.Message);
        }

        try
        {
            var status = await client.GetStatusAsync(address, cancellationToken);
            return status == statusCode
                ? HealthCheckResult.Healthy()
                : HealthCheckResult.Unhealthy(string.Create(CultureInfo.InvariantCulture, $"{address} answered {status}, not {statusCode}."));
        }
        catch (HttpRequestException exception)
        {
            return HealthCheckResult.Unhealthy($"{address} did not answer: {exception.Message}", exception);
        }
        catch (TaskCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            return HealthCheckResult.Unhealthy($"{address} did not answer in time.", exception);
        }
    }
}
