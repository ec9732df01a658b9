using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Running;

/// <summary>Gives every endpoint its address before anything starts, so that resources can be told of each other in any order.</summary>
internal sealed partial class EndpointAllocator(IConfiguration configuration, ILogger<EndpointAllocator> logger) : IAsyncDisposable
{
    /// <summary>The setting by which public ports are picked also where they are given, so that applications run side by side.</summary>
    public const string RandomizePorts = "DcpPublisher:RandomizePorts";

    // Below the ports that kernels give to outgoing connections and above those that services are commonly given: what
    // is free when it is picked is still free when the resource listens.
    private const int FirstPort = 10_000;
    private const int LastPort = 29_999;

    private readonly HashSet<int> _given = [];
    private readonly List<EndpointProxy> _proxies = [];

    /// <exception cref="DistributedApplicationException">The endpoints contradict themselves; with Aspire they would not start either.</exception>
    public void Allocate(IResource resource)
    {
        foreach (var endpoint in resource.Annotations.OfType<EndpointAnnotation>().Where(endpoint => endpoint.AllocatedEndpoint is null))
        {
            Validate(resource, endpoint);
            if (resource is not ContainerResource && (resource.Replicas() > 1 || endpoint is { Port: { } outer, TargetPort: { } inner } && outer != inner))
            {
                AllocateBehindProxy(resource, endpoint);
            }
            else
            {
                Allocate(resource, endpoint);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var proxy in _proxies)
        {
            await proxy.DisposeAsync();
        }

        _proxies.Clear();
    }

    private static void Validate(IResource resource, EndpointAnnotation endpoint)
    {
        var problem = resource is ContainerResource
            ? endpoint.TargetPort is null ? $"The endpoint '{endpoint.Name}' for container resource '{resource.Name}' must specify the TargetPort." : null
            : resource.Replicas() > 1 && !endpoint.IsProxied ? $"'{resource.Name}' has {resource.Replicas()} replicas, and they cannot share the endpoint '{endpoint.Name}', which has no proxy (IsProxied is false)."
            : resource.Replicas() > 1 && endpoint.TargetPort is { } shared ? $"'{resource.Name}' has {resource.Replicas()} replicas, and they cannot all listen on the target port {shared} of the endpoint '{endpoint.Name}': leave it out, and each gets its own."
            : !endpoint.IsProxied && endpoint is { Port: { } outer, TargetPort: { } inner } && outer != inner ? $"The endpoint '{endpoint.Name}' of '{resource.Name}' has the port {outer} and the target port {inner}. Without a proxy they are one: give it one port."
            : null;
        if (problem is not null)
        {
            throw new DistributedApplicationException(problem);
        }
    }

    private void AllocateBehindProxy(IResource resource, EndpointAnnotation endpoint)
    {
        var wish = configuration.GetValue<bool>(RandomizePorts) ? null : endpoint.Port;
        var port = wish is { } wished && IsFree(wished) ? wished : Pick();
        if (wish is { } taken && taken != port)
        {
            Log.PortTaken(logger, endpoint.Name, resource.Name, taken, port);
        }

        _given.Add(port);
        var ports = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var id in resource.InstanceIds())
        {
            ports[id] = endpoint.TargetPort ?? Pick();
            _given.Add(ports[id]);
        }

        _proxies.Add(new EndpointProxy(IsEverywhere(endpoint.TargetHost), port, [.. ports.Values]));
        endpoint.InstancePorts = ports;
        endpoint.AllocatedEndpoint = new AllocatedEndpoint(endpoint, IsEverywhere(endpoint.TargetHost) ? "localhost" : endpoint.TargetHost, port);
    }

    private static bool IsEverywhere(string host) => host is "*" or "+" or "0.0.0.0" or "::" or "[::]";

    private void Allocate(IResource resource, EndpointAnnotation endpoint)
    {
        var isContainer = resource is ContainerResource;
        var host = IsEverywhere(endpoint.TargetHost) ? "localhost" : endpoint.TargetHost;
        var given = configuration.GetValue<bool>(RandomizePorts) ? null : endpoint.Port;
        var wish = given ?? (isContainer ? null : endpoint.TargetPort);
        var port = wish is { } wished && IsFree(wished) ? wished : Pick();
        if (wish is { } taken && taken != port)
        {
            if (!isContainer && endpoint.TargetPort is not null)
            {
                // The program listens there whatever it is told, so another port would only hide the conflict.
                port = taken;
                Log.PortTakenAndFixed(logger, endpoint.Name, resource.Name, taken);
            }
            else
            {
                Log.PortTaken(logger, endpoint.Name, resource.Name, taken, port);
            }
        }

        _given.Add(port);
        if (!isContainer)
        {
            endpoint.TargetPort = port;
        }

        endpoint.AllocatedEndpoint = new AllocatedEndpoint(endpoint, host, port);
    }

    private int Pick()
    {
        for (var attempt = 0; attempt < LastPort - FirstPort; attempt++)
        {
            var port = RandomNumberGenerator.GetInt32(FirstPort, LastPort + 1);
            if (!_given.Contains(port) && IsFree(port))
            {
                return port;
            }
        }

        throw new DistributedApplicationException($"There is no free port between {FirstPort} and {LastPort}.");
    }

    private bool IsFree(int port) => !_given.Contains(port) && CanBind(IPAddress.Loopback, port) && (!Socket.OSSupportsIPv6 || CanBind(IPAddress.IPv6Loopback, port));

    private static bool CanBind(IPAddress address, int port)
    {
        try
        {
            using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(address, port));
            return true;
        }
        catch (SocketException exception) when (exception.SocketErrorCode is SocketError.AddressNotAvailable or SocketError.AddressFamilyNotSupported)
        {
            return true; // No such family here, so nobody can hold the port in it.
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(601, LogLevel.Warning, "The port {Taken} of endpoint '{Endpoint}' of '{Resource}' is taken by another program; it gets {Port}.")]
        public static partial void PortTaken(ILogger logger, string endpoint, string resource, int taken, int port);

        [LoggerMessage(602, LogLevel.Error, "The port {Taken} of endpoint '{Endpoint}' of '{Resource}' is taken by another program. Stop that program, or give the endpoint another target port.")]
        public static partial void PortTakenAndFixed(ILogger logger, string endpoint, string resource, int taken);
    }
}
