using System.Collections.Concurrent;
using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Text.Json.Serialization.Metadata;

namespace Fluster.Actors;

/// <summary>Where code that was generated with a program makes itself known, when its assembly is loaded. For generated code.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class ActorGenerated
{
    private static readonly ConcurrentDictionary<Type, Func<ActorInvoker, object>> s_proxies = new();
    private static readonly ConcurrentDictionary<Type, ActorDispatcher> s_dispatchers = new();

    /// <summary>The class that stands in for an interface.</summary>
    public static void AddProxy<T>(Func<ActorInvoker, T> create)
        where T : class => s_proxies[typeof(T)] = create;

    /// <summary>What runs the methods of a class.</summary>
    public static void AddDispatcher<T>(ActorDispatcher dispatcher)
        where T : class => s_dispatchers[typeof(T)] = dispatcher;

    /// <summary>Descriptions of types that travel as JSON.</summary>
    public static void AddTypes(IJsonTypeInfoResolver types) => ActorJson.Add(types);

    /// <summary>The dispatcher of a class: the generated one, else one by reflection.</summary>
    internal static ActorDispatcher DispatcherOf(Type type)
    {
        Load(type);
        return s_dispatchers.GetOrAdd(type, ReflectedDispatcher.Create);
    }

    /// <summary>The generated class that stands in for an interface; null when there is none.</summary>
    internal static T? ProxyOf<T>(ActorInvoker invoker)
        where T : class
    {
        Load(typeof(T));
        return s_proxies.TryGetValue(typeof(T), out var create) ? (T)create(invoker) : null;
    }

    // Generated code makes itself known in the module's initializer, which else runs only when something of the module does.
    private static void Load(Type type) => RuntimeHelpers.RunModuleConstructor(type.Module.ModuleHandle);
}
