using Fluster.Actors;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Hosts actors inside any service.</summary>
public static class ActorHostingExtensions
{
    /// <summary>
    /// Serves an object of the class as an actor for as long as the service runs. It is made by the container, so that its constructor can take
    /// other services, and there is one of it. The cluster that <c>AddFlusterClient</c> registered knows it while this process lives: its
    /// endpoint vanishes some seconds after the process does.
    /// </summary>
    /// <typeparam name="TInterface">What clients call it through. The methods that can be called are those of the class.</typeparam>
    /// <typeparam name="TImplementation">The class.</typeparam>
    /// <param name="services">The services.</param>
    /// <param name="name">The actor's name. Default: that of <see cref="ActorAttribute"/> on the class or the interface.</param>
    /// <param name="options">How calls enter it.</param>
    /// <exception cref="ArgumentException">There is no name.</exception>
    public static IServiceCollection AddFlusterActor<TInterface, TImplementation>(this IServiceCollection services, string? name = null, ActorOptions? options = null)
        where TInterface : class
        where TImplementation : class, TInterface
    {
        ArgumentNullException.ThrowIfNull(services);
        name ??= NameOf(typeof(TImplementation)) ?? NameOf(typeof(TInterface)) ?? throw new ArgumentException(
            $"{typeof(TImplementation).Name} has no name as an actor: give one, or mark the class with [Actor(\"name\")].", nameof(name));
        services.TryAddSingleton<TImplementation>();
        services.AddSingleton(new HostedActorRegistration(name, typeof(TImplementation), options));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, ActorHostService>());
        return services;
    }

    private static string? NameOf(Type type) =>
        Attribute.GetCustomAttribute(type, typeof(ActorAttribute), inherit: false) is ActorAttribute { Name.Length: > 0 } attribute ? attribute.Name : null;
}
