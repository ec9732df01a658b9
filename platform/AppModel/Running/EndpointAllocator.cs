using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Running;

/// <summary>Gives every endpoint its address before anything starts, so that resources can be told of each other in any order.</summary>
internal sealed partial class EndpointAllocator(ILogger<EndpointAllocator> logger)
{
    // Below the ports that kernels give to outgoing connections and above those that services are commonly given: what
    // is free when it is picked is still free when the resource listens.
    private const int FirstPort = 10_000;
    private const int LastPort = 29_999;

    private readonly HashSet<int> _given = [];

    /// <exception cref="DistributedApplicationException">The endpoints cannot be served without a proxy in front of them.</exception>
    public void Allocate(IResource resource)
    {
        var endpoints = resource.Annotations.OfType<EndpointAnnotation>().ToList();
        if (endpoints.Count > 0 && resource.Replicas() > 1)
        {
            throw new DistributedApplicationException(
                $"'{resource.Name}' has {resource.Replicas()} replicas and the endpoint '{endpoints[0].Name}'. Replicas that share an endpoint need a proxy, which this application model does not have yet: add the resource once per process instead.");
        }

        foreach (var endpoint in endpoints.Where(endpoint => endpoint.AllocatedEndpoint is null))
        {
            Allocate(resource, endpoint);
        }
    }

    private void Allocate(IResource resource, EndpointAnnotation endpoint)
    {
        var isContainer = resource is ContainerResource;
        if (isContainer && endpoint.TargetPort is null)
        {
            throw new DistributedApplicationException($"The endpoint '{endpoint.Name}' for container resource '{resource.Name}' must specify the TargetPort.");
        }

        if (!isContainer && endpoint is { Port: { } outer, TargetPort: { } inner } && outer != inner)
        {
            throw new DistributedApplicationException(
                $"The endpoint '{endpoint.Name}' of '{resource.Name}' has the port {outer} and the target port {inner}. That needs a proxy, which this application model does not have yet: give it one port.");
        }

        var host = endpoint.TargetHost is "*" or "+" or "0.0.0.0" or "::" or "[::]" ? "localhost" : endpoint.TargetHost;
        var wish = endpoint.Port ?? (isContainer ? null : endpoint.TargetPort);
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
