using System.Collections.Concurrent;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Grpc.Net.ClientFactory;

/// <summary>One channel per registered name, over that name's HttpClient handlers.</summary>
internal sealed class GrpcChannels(
    IServiceProvider services, IHttpMessageHandlerFactory handlers, IOptionsMonitor<GrpcClientFactoryOptions> options, ILoggerFactory? loggers = null) : IDisposable
{
    private readonly ConcurrentDictionary<string, Lazy<(GrpcChannel Channel, CallInvoker Invoker)>> _channels = new(StringComparer.Ordinal);

    public CallInvoker Invoker(string name) =>
        _channels.GetOrAdd(name, key => new(() => Create(key))).Value.Invoker;

    public void Dispose()
    {
        foreach (var lazy in _channels.Values)
        {
            if (lazy.IsValueCreated)
            {
                lazy.Value.Channel.Dispose();
            }
        }
    }

    private (GrpcChannel Channel, CallInvoker Invoker) Create(string name)
    {
        var registered = options.Get(name);
        var channelOptions = new GrpcChannelOptions
        {
            HttpHandler = handlers.CreateHandler(name),
            LoggerFactory = loggers,
            ServiceProvider = services,
        };
        foreach (var configure in registered.ChannelOptionsActions)
        {
            configure(channelOptions);
        }

        var address = registered.Address
            ?? throw new InvalidOperationException($"Could not resolve the address for gRPC client '{name}'. Set an address when registering the client: services.AddGrpcClient<TClient>(o => o.Address = new Uri(...))");
        var channel = GrpcChannel.ForAddress(address, channelOptions);
        return (channel, registered.Intercept(channel.CreateCallInvoker(), InterceptorScope.Channel, services));
    }
}

/// <summary>Makes clients for one scope.</summary>
internal sealed class ChannelClientFactory(
    IServiceProvider services, GrpcChannels channels, GrpcClientNames names, IOptionsMonitor<GrpcClientFactoryOptions> options) : GrpcClientFactory
{
    public override TClient CreateClient<TClient>(string name)
    {
        if (!names.Types.TryGetValue(name, out var type))
        {
            throw new InvalidOperationException($"No gRPC client configured with name '{name}'.");
        }

        if (!typeof(TClient).IsAssignableFrom(type))
        {
            throw new InvalidOperationException($"The gRPC client with the name '{name}' is a {type}, not a {typeof(TClient)}.");
        }

        var registered = options.Get(name);
        var invoker = registered.Intercept(channels.Invoker(name), InterceptorScope.Client, services);
        if (registered.CallOptionsActions.Count > 0)
        {
            invoker = new CallOptionsInvoker(invoker, registered.CallOptionsActions, services);
        }

        return (TClient)(registered.Creator?.Invoke(invoker) ?? ActivatorUtilities.CreateInstance(services, type, invoker));
    }
}

/// <summary>Which client type each name stands for.</summary>
internal sealed class GrpcClientNames
{
    public Dictionary<string, Type> Types { get; } = new(StringComparer.Ordinal);
}

internal static class GrpcClientOptionsInterceptors
{
    /// <summary>Wraps <paramref name="invoker"/> in the interceptors of one scope; the first registered sees a call first.</summary>
    public static CallInvoker Intercept(this GrpcClientFactoryOptions options, CallInvoker invoker, InterceptorScope scope, IServiceProvider services)
    {
        var interceptors = options.InterceptorRegistrations.Where(registration => registration.Scope == scope).Select(registration => registration.Creator(services)).ToArray();
        return interceptors.Length == 0 ? invoker : invoker.Intercept(interceptors);
    }
}
