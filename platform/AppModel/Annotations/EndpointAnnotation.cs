using System.Net.Sockets;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>An endpoint of a resource.</summary>
public sealed class EndpointAnnotation : IResourceAnnotation
{
    private static readonly AsyncLocal<string?> s_instance = new();

    private readonly TaskCompletionSource<AllocatedEndpoint> _allocation = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string? _transport;
    private int? _port;

    /// <summary>Makes an endpoint.</summary>
    /// <param name="protocol">The network protocol.</param>
    /// <param name="uriScheme">The scheme. Default: the protocol's name.</param>
    /// <param name="transport">"http", "http2" or "tcp". Default: by the scheme.</param>
    /// <param name="name">The name. Default: the scheme.</param>
    /// <param name="port">The port that others connect to. Default: a free one.</param>
    /// <param name="targetPort">The port that the resource listens on. Default: <paramref name="port"/>.</param>
    /// <param name="isExternal">Whether it is meant for callers outside the application. Default: false.</param>
    /// <param name="isProxied">Whether a proxy may stand before it. Default: true.</param>
    public EndpointAnnotation(
        ProtocolType protocol,
        string? uriScheme = null,
        string? transport = null,
        string? name = null,
        int? port = null,
        int? targetPort = null,
        bool? isExternal = null,
        bool? isProxied = null)
    {
        Protocol = protocol;
        UriScheme = uriScheme ?? protocol.ToString().ToLowerInvariant();
        _transport = transport;
        Name = name ?? UriScheme;
        ModelName.Validate("Endpoint", Name);
        _port = port;
        TargetPort = targetPort;
        IsExternal = isExternal ?? false;
        IsProxied = isProxied ?? true;
    }

    /// <summary>The network protocol.</summary>
    public ProtocolType Protocol { get; set; }

    /// <summary>The scheme.</summary>
    public string UriScheme { get; set; }

    /// <summary>The name.</summary>
    public string Name { get; set; }

    /// <summary>"http", "http2" or "tcp".</summary>
    public string Transport
    {
        get => _transport ?? (UriScheme is "http" or "https" ? "http" : Protocol.ToString().ToLowerInvariant());
        set => _transport = value;
    }

    /// <summary>The port that others connect to; null for a free one.</summary>
    public int? Port
    {
        // Without a proxy the two ports are the same one.
        get => _port ?? (IsProxied ? null : TargetPort);
        set => _port = value;
    }

    /// <summary>The port that the resource listens on; null for a free one.</summary>
    public int? TargetPort { get; set; }

    /// <summary>The host that the resource listens on. Default: localhost.</summary>
    public string TargetHost { get; set; } = "localhost";

    /// <summary>Whether it is meant for callers outside the application.</summary>
    public bool IsExternal { get; set; }

    /// <summary>Whether a proxy may stand before it.</summary>
    public bool IsProxied { get; set; }

    /// <summary>The address, once the application runs.</summary>
    public AllocatedEndpoint? AllocatedEndpoint
    {
        get => _allocation.Task.IsCompletedSuccessfully ? _allocation.Task.Result : null;
        set
        {
            if (value is not null)
            {
                _allocation.TrySetResult(value);
            }
        }
    }

    internal Task<AllocatedEndpoint> Allocation => _allocation.Task;

    /// <summary>Whose environment is being put together: the process of this id.</summary>
    internal static string? Instance
    {
        get => s_instance.Value;
        set => s_instance.Value = value;
    }

    /// <summary>Where each process listens, by its id, when a proxy stands before them.</summary>
    internal IReadOnlyDictionary<string, int>? InstancePorts { get; set; }

    /// <summary>Where the process listens whose environment is being put together; for anybody else, where one of them does.</summary>
    internal int? ListeningPort => InstancePorts is not { } ports ? TargetPort : Instance is { } id && ports.TryGetValue(id, out var port) ? port : ports.Values.First();

    /// <summary>The name under which the Kestrel section of the project's configuration lists the endpoint; null when it does not.</summary>
    internal string? KestrelName { get; init; }
}

/// <summary>The address of an endpoint.</summary>
public class AllocatedEndpoint
{
    /// <summary>Makes an address.</summary>
    public AllocatedEndpoint(EndpointAnnotation endpoint, string address, int port, string? targetPortExpression = null)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        ArgumentException.ThrowIfNullOrEmpty(address);
        ArgumentOutOfRangeException.ThrowIfLessThan(port, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(port, 65535);
        Endpoint = endpoint;
        Address = address;
        Port = port;
        TargetPortExpression = targetPortExpression;
    }

    /// <summary>The endpoint.</summary>
    public EndpointAnnotation Endpoint { get; }

    /// <summary>The host.</summary>
    public string Address { get; }

    /// <summary>The port.</summary>
    public int Port { get; }

    /// <summary>The port that the resource listens on, where it is decided elsewhere.</summary>
    public string? TargetPortExpression { get; }

    /// <summary>The scheme.</summary>
    public string UriScheme => Endpoint.UriScheme;

    /// <summary>Host and port.</summary>
    public string EndPointString => $"{Address}:{Port}";

    /// <summary>The whole address.</summary>
    public string UriString => $"{UriScheme}://{EndPointString}";

    /// <inheritdoc/>
    public override string ToString() => UriString;
}
