using Fluster.Rpc;
using Grpc.Core;
using Grpc.Net.Client;

namespace Fluster.Cluster;

/// <summary>The connection to a controller, whose calls carry token and protocol version.</summary>
internal sealed class ControllerChannel : IDisposable
{
    // An answer about a job with many tasks, or a command of 4 MiB, is larger than the usual limit; what may be larger still travels as
    // blobs. A wait can be silent for hours: pings show soon that the other side is gone.
    private static readonly RpcLimits s_limits = RpcLimits.Default with
    {
        MaxMessageSize = 64 << 20,
        ConnectTimeout = TimeSpan.FromSeconds(5),
    };

    private readonly GrpcChannel _channel;
    private volatile Metadata _metadata;
    private volatile string? _token;

    public ControllerChannel(FlusterClientOptions options)
    {
        _token = options.Token;
        _metadata = MetadataOf(options.Token);
        var pin = options.CertificateHash ?? (options.Token is { } token ? TokenClaims.ReadUnchecked(token)?.CertificateHash : null);
        var limits = s_limits with { KeepAlivePingDelay = options.PingDelay, KeepAlivePingTimeout = options.PingDelay * 2 / 3 };
        _channel = RpcChannel.ForAddress(new Uri(options.Address), limits, channel => ControllerTransport.Apply(channel, pin));
        Service = new V1.ControllerService.ControllerServiceClient(_channel);
    }

    public V1.ControllerService.ControllerServiceClient Service { get; }

    /// <summary>The token that calls carry. A new one counts from the next call on.</summary>
    public string? Token
    {
        get => _token;
        set
        {
            _metadata = MetadataOf(value);
            _token = value;
        }
    }

    /// <summary>The options of a call. The metadata is only read, so that all calls share it.</summary>
    public CallOptions Options(CancellationToken cancellationToken, DateTime? deadline = null) => new(_metadata, deadline, cancellationToken);

    public void Dispose() => _channel.Dispose();

    private static Metadata MetadataOf(string? token)
    {
        var metadata = new Metadata { { ProtocolVersion.Metadata, ProtocolVersion.Current } };
        if (token is not null)
        {
            metadata.Add("authorization", "Bearer " + token);
        }

        return metadata;
    }
}
