using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Fluster.Hosting;

/// <summary>Asks the cluster's controller, as its owner: in JSON, since this library knows none of the cluster's types.</summary>
internal static class ControllerCalls
{
    private const string Service = "fluster.cluster.v1.ControllerService/";

    private static readonly HttpClient s_client = new(new SocketsHttpHandler { ActivityHeadersPropagator = null, UseProxy = false })
    {
        Timeout = TimeSpan.FromSeconds(5),
    };

    /// <summary>Calls a method of the controller.</summary>
    /// <exception cref="DistributedApplicationException">It has no address yet, cannot be reached, or refused; the message says what.</exception>
    public static async Task<JsonNode?> CallAsync(FlusterResource fluster, TimeProvider time, string method, JsonObject request, CancellationToken cancellationToken)
    {
        var address = new EndpointReference(fluster.Controller!, "http");
        if (!address.IsAllocated)
        {
            throw new DistributedApplicationException("The controller has no address yet.");
        }

        try
        {
            using var message = new HttpRequestMessage(HttpMethod.Post, new Uri(new Uri(address.Url), Service + method));
            message.Headers.Authorization = new AuthenticationHeaderValue("Bearer", fluster.Data.Key.SignAdmin(time.GetUtcNow()));
            message.Headers.Add("fluster-protocol", "1.0");
            message.Content = new StringContent(request.ToJsonString(), Encoding.UTF8, "application/json");
            using var response = await s_client.SendAsync(message, cancellationToken);
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            return response.IsSuccessStatusCode
                ? JsonNode.Parse(text)
                : throw new DistributedApplicationException($"The controller answered {(int)response.StatusCode}: {text}");
        }
        catch (Exception exception) when (exception is HttpRequestException or JsonException || (exception is TaskCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw new DistributedApplicationException($"The controller could not be asked: {exception.Message}", exception);
        }
    }
}
