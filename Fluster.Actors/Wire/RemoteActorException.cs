using System.Runtime.CompilerServices;
using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>
/// A call ended without a value, and the caller's side has no exception type for it: the method threw an exception that only the
/// actor's side knows, or the call did not fit (see <see cref="Kind"/>).
/// </summary>
public sealed class RemoteActorException : Exception
{
    private static readonly ConditionalWeakTable<Exception, RemoteExceptionInfo> s_origins = [];

    /// <summary>An exception that stands for what happened on the actor's side.</summary>
    public RemoteActorException(ActorErrorKind kind, RemoteExceptionInfo origin)
        : base(kind == ActorErrorKind.Exception ? $"{origin.Type}: {origin.Message}" : origin.Message)
    {
        Kind = kind;
        Origin = origin;
        s_origins.Add(this, origin);
    }

    /// <summary>What kind of reason it was.</summary>
    public ActorErrorKind Kind { get; }

    /// <summary>Type, message and stack trace over there.</summary>
    public RemoteExceptionInfo Origin { get; }

    /// <summary>
    /// What an exception that a call threw was on the actor's side; null for one that did not come from an actor. Also works for
    /// exceptions that were rethrown with their own type.
    /// </summary>
    public static RemoteExceptionInfo? OriginOf(Exception exception) =>
        s_origins.TryGetValue(exception, out var origin) ? origin : null;

    internal static void Mark(Exception exception, RemoteExceptionInfo origin) => s_origins.Add(exception, origin);
}
