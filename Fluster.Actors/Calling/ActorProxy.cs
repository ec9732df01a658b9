using System.Reflection;

namespace Fluster.Actors;

/// <summary>Stands in for an interface at run time: every call of one of its methods goes to the actor.</summary>
internal class ActorProxy : DispatchProxy
{
    private ActorInvoker? _invoker;

    /// <exception cref="NotSupportedException"><typeparamref name="T"/> is not an interface, or has members that cannot be called remotely.</exception>
    public static T Create<T>(ActorInvoker invoker)
        where T : class
    {
        Interface<T>.Check();
        if (ActorGenerated.ProxyOf<T>(invoker) is { } generated)
        {
            return generated;
        }

        var proxy = Create<T, ActorProxy>();
        ((ActorProxy)(object)proxy)._invoker = invoker;
        return proxy;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        var method = RemoteMethod.Of(targetMethod!);
        return method.Call(_invoker!, args ?? []);
    }

    private static class Interface<T>
    {
        private static readonly string? s_problem = Problem();

        public static void Check()
        {
            if (s_problem is not null)
            {
                throw new NotSupportedException(s_problem);
            }
        }

        private static string? Problem()
        {
            var type = typeof(T);
            return !type.IsInterface
                ? $"{type} is not an interface: actors are called through an interface with their methods."
                : type.GetInterfaces().Append(type).SelectMany(one => one.GetMembers(BindingFlags.Public | BindingFlags.Instance))
                    .Select(RemoteMethod.Problem).FirstOrDefault(problem => problem is not null);
        }
    }
}
