using Grpc.Net.Client;

namespace Fluster.Rpc;

/// <summary>Channels that notice a dead peer, keep their connection and bound what they receive.</summary>
public static class RpcChannel
{
    /// <summary>A channel to <paramref name="address"/>; it owns its connections.</summary>
    /// <param name="address">Such as http://host:port (HTTP/2 without TLS) or https://host:port.</param>
    /// <param name="limits">Null for <see cref="RpcLimits.Default"/>.</param>
    /// <param name="configure">Sees the options last. The handler in them is a <see cref="SocketsHttpHandler"/>, for certificates.</param>
    public static GrpcChannel ForAddress(Uri address, RpcLimits? limits = null, Action<GrpcChannelOptions>? configure = null)
    {
        limits ??= RpcLimits.Default;
        var options = new GrpcChannelOptions
        {
            HttpHandler = CreateHandler(limits),
            DisposeHttpClient = true,
        };
        Apply(limits, options);
        configure?.Invoke(options);
        return GrpcChannel.ForAddress(address, options);
    }

    /// <summary>The message limits alone, for a channel that has a handler of its own.</summary>
    public static void Apply(RpcLimits limits, GrpcChannelOptions options)
    {
        options.MaxReceiveMessageSize = limits.MaxMessageSize;
        options.MaxSendMessageSize = limits.MaxMessageSize;
        options.CompressionProviders = BoundedCompressionProvider.All(limits.MaxMessageSize);
    }

    /// <summary>The handler of such a channel, for clients that are made by AddGrpcClient or HttpClient.</summary>
    public static SocketsHttpHandler CreateHandler(RpcLimits? limits = null)
    {
        limits ??= RpcLimits.Default;
        return new SocketsHttpHandler
        {
            ConnectTimeout = limits.ConnectTimeout,

            // The server closes what is idle; a minute's silence must not cost a client its connection.
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            KeepAlivePingDelay = limits.KeepAlivePingDelay,
            KeepAlivePingTimeout = limits.KeepAlivePingTimeout,

            // Always: the first call after a silence should not be the one that finds out.
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.Always,

            // Another connection is opened only when the server's limit of streams is reached; without this, calls would wait
            // behind long-lived streams.
            EnableMultipleHttp2Connections = true,

            // One round trip more for a large message is noticeable on a fast network; the default of 64 KiB has to grow first.
            InitialHttp2StreamWindowSize = 1024 * 1024,
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
        };
    }
}
