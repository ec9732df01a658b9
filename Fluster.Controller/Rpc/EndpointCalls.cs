using Grpc.Core;

namespace Fluster.Controller;

/// <summary>The calls about endpoints.</summary>
internal sealed class EndpointCalls(ClusterLoop loop)
{
    private const int LongestName = 512;
    private const int LongestAddress = 1024;
    private const int MostMetadata = 64;
    private const int LongestMetadata = 4096;

    public async Task<V1.RegisterEndpointResponse> RegisterAsync(Caller caller, V1.RegisterEndpointRequest request, CancellationToken cancellationToken)
    {
        var wanted = request.Endpoint ?? new V1.Endpoint();
        if (Problem(wanted) is { } problem)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, problem));
        }

        var owner = OwnerOf(caller, wanted);
        var @namespace = NamespaceOf(caller, wanted.Namespace);
        var input = new ClusterInput.RegisterEndpoint(
            EndpointId.Parse(wanted.EndpointId),
            @namespace,
            wanted.Name,
            wanted.Address,
            [.. wanted.Metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal)],
            owner);
        var result = await loop.ApplyAsync(input, cancellationToken);
        var registered = loop.Current.Endpoints.Named(new EndpointKey(@namespace, wanted.Name)).FirstOrDefault(endpoint => endpoint.Uid == result.Subject);
        return new V1.RegisterEndpointResponse { Endpoint = registered?.ToDomain().ToWire() ?? wanted };
    }

    public async Task<V1.UnregisterEndpointResponse> UnregisterAsync(Caller caller, V1.UnregisterEndpointRequest request, CancellationToken cancellationToken)
    {
        if (!EndpointId.IsValid(request.EndpointId))
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"'{request.EndpointId}' is not an endpoint id."));
        }

        await loop.ApplyAsync(new ClusterInput.UnregisterEndpoint(EndpointId.Parse(request.EndpointId), caller.IsAdmin ? null : caller.Namespace), cancellationToken);
        return new V1.UnregisterEndpointResponse();
    }

    public V1.LookupEndpointsResponse Lookup(Caller caller, V1.LookupEndpointsRequest request)
    {
        var response = new V1.LookupEndpointsResponse();
        var key = new EndpointKey(NamespaceOf(caller, request.Namespace), request.Name);
        response.Endpoints.AddRange(loop.Current.Endpoints.Named(key).Select(endpoint => endpoint.ToDomain().ToWire()));
        return response;
    }

    public V1.ListEndpointsResponse List(Caller caller, V1.ListEndpointsRequest request)
    {
        var response = new V1.ListEndpointsResponse();
        var found = loop.Current.Endpoints.WithPrefix(NamespaceOf(caller, request.Namespace), request.Prefix);
        response.Endpoints.AddRange(found.Select(endpoint => endpoint.ToDomain().ToWire()));
        return response;
    }

    /// <summary>The namespace that a caller names, or its own.</summary>
    /// <exception cref="RpcException">It is no namespace, or not the caller's.</exception>
    public static Namespace NamespaceOf(Caller caller, string text)
    {
        if (text.Length == 0)
        {
            return caller.Namespace;
        }

        if (!Namespace.IsValid(text))
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"'{text}' is not a namespace."));
        }

        var wanted = Namespace.Parse(text);
        return caller.MayUse(wanted)
            ? wanted
            : throw new RpcException(new Status(StatusCode.PermissionDenied, $"The token is for namespace '{caller.Namespace}'; namespace '{wanted}' needs the role admin."));
    }

    /// <summary>A job registers what is its own; an operator registers for a registration, or for an attempt.</summary>
    private static EndpointOwner OwnerOf(Caller caller, V1.Endpoint wanted) => wanted switch
    {
        _ when caller.IsJob => new EndpointOwner(caller.Fence),
        { OwnerRegistrationId.Length: > 0, OwnerFence: 0 } when EndpointId.IsValid(wanted.OwnerRegistrationId) => new EndpointOwner(default, RegistrationId.Parse(wanted.OwnerRegistrationId)),
        { OwnerRegistrationId.Length: 0, OwnerFence: not 0 } => new EndpointOwner(new Fence(wanted.OwnerFence)),
        _ => throw new RpcException(new Status(
            StatusCode.InvalidArgument, "An endpoint needs one owner: outside a job open a registration (OpenRegistration) and name it in owner_registration_id.")),
    };

    private static string? Problem(V1.Endpoint endpoint)
    {
        if (!EndpointId.IsValid(endpoint.EndpointId))
        {
            return $"'{endpoint.EndpointId}' is not an endpoint id.";
        }

        if (endpoint.Name.Length is 0 or > LongestName || endpoint.Name.Any(char.IsControl))
        {
            return $"An endpoint needs a name of 1 to {LongestName} characters.";
        }

        if (endpoint.Address.Length is 0 or > LongestAddress || endpoint.Address.Any(char.IsControl))
        {
            return $"An endpoint needs an address of 1 to {LongestAddress} characters.";
        }

        return endpoint.Metadata.Count > MostMetadata || endpoint.Metadata.Any(pair => pair.Key.Length > LongestMetadata || pair.Value.Length > LongestMetadata)
            ? $"An endpoint can have {MostMetadata} pairs of metadata, each part with {LongestMetadata} characters."
            : null;
    }
}
