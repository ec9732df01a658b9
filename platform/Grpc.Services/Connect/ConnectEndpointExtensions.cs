using Fluster.Rpc;
using Grpc.AspNetCore.Server;
using Grpc.Connect;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.AspNetCore.Builder;

public static class ConnectEndpointExtensions
{
    /// <summary>Maps a gRPC service that also answers the Connect protocol.</summary>
    public static IEndpointConventionBuilder MapConnectService<TService>(this IEndpointRouteBuilder endpoints)
        where TService : class =>
        endpoints.MapGrpcService<TService>().EnableConnect();

    /// <summary>
    /// Lets the gRPC methods among these endpoints also answer the Connect protocol (JSON and protobuf, over HTTP/1.1 and
    /// HTTP/2). A Connect request becomes a call of the same endpoint: authorization, interceptors, limits and deadlines
    /// are those of gRPC, because it is gRPC that runs.
    /// </summary>
    public static TBuilder EnableConnect<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder
    {
        builder.Finally(endpoint =>
        {
            if (endpoint.RequestDelegate is { } grpc &&
                endpoint.Metadata.OfType<GrpcMethodMetadata>().FirstOrDefault() is { } metadata &&
                ConnectMethod.TryCreate(metadata.Method, Limits(endpoint.ApplicationServices)) is { } method)
            {
                endpoint.RequestDelegate = context => method.InvokeAsync(context, grpc);
            }
        });
        return builder;
    }

    private static RpcLimits Limits(IServiceProvider services) => services.GetService<RpcLimits>() ?? RpcLimits.Default;
}
