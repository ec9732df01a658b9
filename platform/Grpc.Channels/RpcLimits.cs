namespace Fluster.Rpc;

/// <summary>What a gRPC server or client takes from its peer before it gives up on it. The libraries leave most of this open.</summary>
public sealed record RpcLimits
{
    public static RpcLimits Default { get; } = new();

    /// <summary>The largest message, sent or received, in bytes; of a compressed one, also what it inflates to. 4 MiB.</summary>
    public int MaxMessageSize { get; init; } = 4 * 1024 * 1024;

    /// <summary>
    /// Calls in flight on one connection. 1,000: a client that may open ten connections instead of one is slower, and
    /// every open stream of a watcher counts.
    /// </summary>
    public int MaxStreamsPerConnection { get; init; } = 1000;

    /// <summary>All headers of a request together, in bytes. 16 KiB: a token and a trace fit four times.</summary>
    public int MaxHeadersSize { get; init; } = 16 * 1024;

    /// <summary>How long a client may take to send the headers of a request. 15 s.</summary>
    public TimeSpan HeadersTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>After how much silence either side asks whether the other is still there. 30 s.</summary>
    public TimeSpan KeepAlivePingDelay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the answer to that may take before the connection counts as lost. 20 s.</summary>
    public TimeSpan KeepAlivePingTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>After how long without a call the server closes a connection. 2 min.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How long a client tries to open a connection. 10 s.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);
}
