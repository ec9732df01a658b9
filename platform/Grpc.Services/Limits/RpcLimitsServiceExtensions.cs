using Fluster.Rpc;
using Grpc.AspNetCore.Server;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Microsoft.Extensions.DependencyInjection;

public static class RpcLimitsServiceExtensions
{
    /// <summary>
    /// Puts <paramref name="limits"/> on the gRPC services and the Kestrel of this program: sizes of messages (inflated too)
    /// and headers, streams per connection, pings, idle time. Services may lower their own message sizes after it.
    /// </summary>
    public static IServiceCollection AddRpcLimits(this IServiceCollection services, RpcLimits? limits = null)
    {
        limits ??= RpcLimits.Default;
        services.AddSingleton(limits);
        services.Configure<KestrelServerOptions>(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.KeepAliveTimeout = limits.IdleTimeout;
            kestrel.Limits.RequestHeadersTimeout = limits.HeadersTimeout;
            kestrel.Limits.MaxRequestHeadersTotalSize = limits.MaxHeadersSize;
            kestrel.Limits.Http2.MaxRequestHeaderFieldSize = limits.MaxHeadersSize;
            kestrel.Limits.Http2.MaxStreamsPerConnection = limits.MaxStreamsPerConnection;
            kestrel.Limits.Http2.KeepAlivePingDelay = limits.KeepAlivePingDelay;
            kestrel.Limits.Http2.KeepAlivePingTimeout = limits.KeepAlivePingTimeout;
        });
        services.Configure<GrpcServiceOptions>(grpc =>
        {
            grpc.MaxReceiveMessageSize = limits.MaxMessageSize;
            grpc.MaxSendMessageSize = limits.MaxMessageSize;
        });

        // After every other configuration, which would add the libraries' unbounded ones.
        services.PostConfigure<GrpcServiceOptions>(grpc =>
            grpc.CompressionProviders = BoundedCompressionProvider.All(limits.MaxMessageSize));
        return services;
    }
}
