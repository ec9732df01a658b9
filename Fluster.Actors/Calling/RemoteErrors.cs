using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.ExceptionServices;
using Fluster.Actors.V1;
using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>
/// Turns an error that came over the wire into an exception of this side. The sender's words choose only among exception types that
/// this process has loaded already and that are made from a message alone; nothing is loaded or deserialized for them.
/// </summary>
internal static class RemoteErrors
{
    private static readonly ConcurrentDictionary<string, ConstructorInfo?> s_constructors = new(StringComparer.Ordinal);

    /// <summary>A server could send any number of names: those that are not found are not remembered past this many.</summary>
    private const int MostRemembered = 1000;

    public static Exception ToException(ActorError error)
    {
        var origin = new RemoteExceptionInfo(error.Type, error.Message, error.Stack);
        var kind = Enum.IsDefined((ActorErrorKind)error.Kind) ? (ActorErrorKind)error.Kind : ActorErrorKind.Exception;
        if (kind == ActorErrorKind.Exception && Rebuild(origin) is { } own)
        {
            RemoteActorException.Mark(own, origin);
            return WithStack(own, origin);
        }

        return WithStack(new RemoteActorException(kind, origin), origin);
    }

    private static Exception WithStack(Exception exception, RemoteExceptionInfo origin) =>
        origin.Stack.Length > 0 ? ExceptionDispatchInfo.SetRemoteStackTrace(exception, origin.Stack) : exception;

    private static Exception? Rebuild(RemoteExceptionInfo origin)
    {
        if (MessageConstructor(origin.Type) is not { } constructor)
        {
            return null;
        }

        try
        {
            // A type that makes another message of the one it is given cannot carry the original's.
            return constructor.Invoke([origin.Message]) is Exception rebuilt && rebuilt.Message == origin.Message ? rebuilt : null;
        }
        catch (TargetInvocationException)
        {
            return null;
        }
    }

    private static ConstructorInfo? MessageConstructor(string typeName)
    {
        if (s_constructors.TryGetValue(typeName, out var known))
        {
            return known;
        }

        var found = AppDomain.CurrentDomain.GetAssemblies()
            .Where(assembly => !assembly.IsDynamic)
            .Select(assembly => assembly.GetType(typeName, throwOnError: false))
            .Where(type => type is { IsAbstract: false, ContainsGenericParameters: false } && type.IsAssignableTo(typeof(Exception)))
            .Select(type => type!.GetConstructor([typeof(string)]))
            .FirstOrDefault(constructor => constructor is not null);
        if (found is not null || s_constructors.Count < MostRemembered)
        {
            s_constructors.TryAdd(typeName, found);
        }

        return found;
    }
}
