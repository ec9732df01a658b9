using System.Net;
using Grpc.Core;
using Grpc.Net.Client;

namespace Fluster.Cluster;

/// <summary>The connection to a controller: one channel, tuned, whose calls carry token and protocol version.</summary>
internal sealed class ControllerChannel : IDisposable
{
    /// <summary>An answer about a job with many tasks can be large; everything larger still travels as a blob.</summary>
    private const int MaxAnswerBytes = 64 << 20;

    private readonly GrpcChannel _channel;
    private readonly Metadata _metadata = [];

    public ControllerChannel(FlusterClientOptions options)
    {
        _channel = GrpcChannel.ForAddress(options.Address, new GrpcChannelOptions
        {
            HttpHandler = NewHandler(),
            DisposeHttpClient = true,
            MaxReceiveMessageSize = MaxAnswerBytes,
        });
        Service = new V1.ControllerService.ControllerServiceClient(_channel);
        _metadata.Add(ProtocolVersion.Metadata, ProtocolVersion.Current);
        if (options.Token is { } token)
        {
            _metadata.Add("authorization", "Bearer " + token);
        }
    }

    public V1.ControllerService.ControllerServiceClient Service { get; }

    /// <summary>The options of a call. A metadata instance is only read, so that all calls share one.</summary>
    public CallOptions Options(CancellationToken cancellationToken, DateTime? deadline = null) => new(_metadata, deadline, cancellationToken);

    public void Dispose() => _channel.Dispose();

    private static SocketsHttpHandler NewHandler() => new()
    {
        // A controller is reached directly; a proxy of the environment would not speak HTTP/2 without TLS.
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = TimeSpan.FromSeconds(5),
        // A kept connection is worth more than what it costs: a new one costs the first call after a pause its latency.
        PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
        EnableMultipleHttp2Connections = true,
        InitialHttp2StreamWindowSize = 1 << 20,
        // A wait can be silent for hours; pings show that the other side is still there.
        KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
        KeepAlivePingDelay = TimeSpan.FromSeconds(15),
        KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
    };
}
