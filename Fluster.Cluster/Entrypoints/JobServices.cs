using System.Reflection;
using Microsoft.Extensions.DependencyInjection;

namespace Fluster.Cluster;

/// <summary>
/// Makes the objects that a job's method takes as parameters and nobody sends: classes that say by a static
/// <c>ConfigureServices(IServiceCollection)</c> what their constructors need.
/// </summary>
internal sealed class JobServices : IAsyncDisposable
{
    private readonly List<ServiceProvider> _providers = [];

    /// <summary>Whether the job makes values of this type itself.</summary>
    public static bool Makes(Type type) => type is { IsClass: true, IsAbstract: false } && type != typeof(string) && ConfigureServices(type) is not null;

    public object Make(Type type)
    {
        var services = new ServiceCollection();
        if (FlusterContext.CurrentOrNull is { } context)
        {
            services.AddSingleton(context);
            if (context.Controller is { } controller)
            {
                services.AddSingleton(controller);
            }
        }

        ConfigureServices(type)!.Invoke(null, BindingFlags.DoNotWrapExceptions, binder: null, [services], culture: null);
        if (services.All(service => service.ServiceType != type))
        {
            services.AddSingleton(type);
        }

        var provider = services.BuildServiceProvider(new ServiceProviderOptions { ValidateScopes = true });
        _providers.Add(provider);
        return provider.GetRequiredService(type);
    }

    /// <summary>Disposes what was made and what it was given.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var provider in _providers)
        {
            await provider.DisposeAsync().ConfigureAwait(false);
        }
    }

    private static MethodInfo? ConfigureServices(Type type) =>
        type.GetMethod("ConfigureServices", BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic, [typeof(IServiceCollection)]);
}
