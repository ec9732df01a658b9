using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Fluster.Hosting;

/// <summary>A worker listens on no port, so the controller is asked: it is healthy when the cluster gives it work.</summary>
internal sealed class WorkerHealthCheck(FlusterResource fluster, string worker, TimeProvider time) : IHealthCheck
{
    private const string ListWorkers = "fluster.cluster.v1.ControllerService/ListWorkers";

    private static readonly HttpClient s_client = new(new SocketsHttpHandler { ActivityHeadersPropagator = null, UseProxy = false })
    {
        Timeout = TimeSpan.FromSeconds(5),
    };

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var address = new EndpointReference(fluster.Controller!, "http");
        if (!address.IsAllocated)
        {
            return HealthCheckResult.Unhealthy("The controller has no address yet.");
        }

        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(new Uri(address.Url), ListWorkers));
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", fluster.Data.Key.SignAdmin(time.GetUtcNow()));
            request.Headers.Add("fluster-protocol", "1.0");
            request.Content = new StringContent("{}", Encoding.UTF8, "application/json");
            using var response = await s_client.SendAsync(request, cancellationToken);
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            if (!response.IsSuccessStatusCode)
            {
                return HealthCheckResult.Unhealthy($"The controller answered {(int)response.StatusCode}: {text}");
            }

            var state = JsonNode.Parse(text)?["workers"]?.AsArray()
                .FirstOrDefault(candidate => (string?)candidate?["workerId"] == worker)?["state"];
            return (string?)state switch
            {
                "Alive" => HealthCheckResult.Healthy(),
                null => HealthCheckResult.Unhealthy("The controller has not heard of it yet."),
                var other => HealthCheckResult.Unhealthy($"For the controller it is {other}."),
            };
        }
        catch (Exception exception) when (exception is HttpRequestException or System.Text.Json.JsonException || (exception is TaskCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return HealthCheckResult.Unhealthy($"The controller could not be asked: {exception.Message}", exception);
        }
    }
}
