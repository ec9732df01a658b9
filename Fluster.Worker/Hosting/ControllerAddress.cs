using System.Net;
using Fluster.Rpc;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.ServiceDiscovery;

namespace Fluster.Worker;

/// <summary>
/// Where the controller is now. Found out again for every connection; the channel of the last address is kept while it is the same.
/// </summary>
internal sealed class ControllerAddress : IDisposable
{
    // The largest frames are attempts with 4 MiB of arguments; results and files travel as blobs.
    private static readonly RpcLimits s_limits = RpcLimits.Default with
    {
        MaxMessageSize = 64 << 20,
        ConnectTimeout = TimeSpan.FromSeconds(5),
        KeepAlivePingDelay = TimeSpan.FromSeconds(15),
        KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
    };

    private readonly Lock _gate = new();
    private readonly string _configured;
    private readonly ServiceEndpointResolver _resolver;
    private readonly string? _certificateHash;
    private GrpcChannel? _channel;

    public ControllerAddress(string configured, ServiceEndpointResolver resolver, string? certificateHash = null)
    {
        (_configured, _resolver, _certificateHash) = (configured, resolver, certificateHash);
        Current = configured;
    }

    /// <summary>The address as another process on this machine can use it; as it was configured while it was never resolved.</summary>
    public string Current { get; private set; }

    public async ValueTask<CallInvoker> ConnectAsync(CancellationToken cancellationToken)
    {
        var address = await ResolveAsync(cancellationToken);
        lock (_gate)
        {
            if (_channel is null || address != Current)
            {
                // An older one is left to the calls that still use it; addresses change once in a worker's life, if ever.
                _channel = RpcChannel.ForAddress(new Uri(address), s_limits, channel => ControllerTransport.Apply(channel, _certificateHash));
                Current = address;
            }

            return _channel.CreateCallInvoker();
        }
    }

    public void Dispose() => _channel?.Dispose();

    private async ValueTask<string> ResolveAsync(CancellationToken cancellationToken)
    {
        var source = await _resolver.GetEndpointsAsync(_configured, cancellationToken);
        var scheme = _configured.StartsWith("https", StringComparison.OrdinalIgnoreCase) ? "https" : "http";
        return (source.Endpoints is [var first, ..] ? first.EndPoint : null) switch
        {
            UriEndPoint { Uri: var uri } => uri.GetLeftPart(UriPartial.Authority),
            DnsEndPoint { Port: > 0 } dns => $"{scheme}://{dns.Host}:{dns.Port}",
            IPEndPoint { Port: > 0 } ip => $"{scheme}://{ip}",
            _ => _configured.TrimEnd('/'),
        };
    }
}
