using Grpc.Net.Client;

namespace Fluster.Cluster;

/// <summary>What the connections of clients and of workers to a controller have in common.</summary>
internal static class ControllerTransport
{
    /// <param name="options">Of a channel of <see cref="Rpc.RpcChannel"/>.</param>
    /// <param name="pin">The certificate to believe; null: any that the machine trusts.</param>
    public static void Apply(GrpcChannelOptions options, string? pin)
    {
        CertificatePin.Apply(options, pin);

        // Traces go to the controller inside of the requests that have to do with one; a span for each request, of which some last for days, would only hide them.
        ((SocketsHttpHandler)options.HttpHandler!).ActivityHeadersPropagator = null;
    }
}
