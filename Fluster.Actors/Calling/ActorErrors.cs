using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.ExceptionServices;
using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>
/// Turns what became of a call into an exception of this side. The sender's words choose only among exception types that
/// this process has loaded already and that are made from a message alone; nothing is loaded or deserialized for them.
/// </summary>
internal static class ActorErrors
{
    private static readonly ConcurrentDictionary<string, ConstructorInfo?> s_constructors = new(StringComparer.Ordinal);

    /// <summary>A server could send any number of names: those that are not found are not remembered past this many.</summary>
    private const int MostRemembered = 1000;

    public static Exception ToException(PendingCall call, CallEnd end, ActorRoute route, ActorCallOptions options, CancellationToken cancellationToken)
    {
        var what = $"{call.Method.Name} of {route.DisplayOf(call)}";
        return end switch
        {
            CallEnd.Failed => ToException(call.Failure!, what, options, cancellationToken),
            CallEnd.TimedOut => TimedOut(what, options, call.Failure),
            CallEnd.Cancelled => new OperationCanceledException($"{what} was cancelled.", cancellationToken),
            CallEnd.Unknown => new OutcomeUnknownException($"{what} was sent, and whether it ran is not known: {call.Failure?.Message}"),
            _ => NotSent(what, call.Failure),
        };
    }

    internal static Exception ToException(CallFailure failure, string what, ActorCallOptions options, CancellationToken cancellationToken)
    {
        switch (failure.Kind)
        {
            case ActorErrorKind.ResourceExhausted:
                return new ClusterException(ClusterError.ResourceExhausted, $"{what} was refused: {failure.Message}");
            case ActorErrorKind.PermissionDenied:
                return new ClusterException(ClusterError.PermissionDenied, $"{what} was refused: {failure.Message}");
            case ActorErrorKind.Stale or ActorErrorKind.ShuttingDown:
                return new ClusterException(ClusterError.Unavailable, $"{what} is not there any more: {failure.Message}");
            case ActorErrorKind.DeadlineExceeded:
                return TimedOut(what, options, failure);
            case ActorErrorKind.Cancelled:
                return new OperationCanceledException($"{what} was cancelled. {failure.Message}", cancellationToken);
            case ActorErrorKind.OutcomeUnknown:
                return new OutcomeUnknownException($"{what} was sent, and whether it ran is not known: {failure.Message}");
        }

        return Thrown(failure);
    }

    /// <summary>What code elsewhere threw: with its own type where this side has it, else as what it was over there.</summary>
    public static Exception Thrown(CallFailure failure)
    {
        var origin = new RemoteExceptionInfo(failure.Type, failure.Message, failure.Stack);
        if (failure.Kind == ActorErrorKind.Exception && Rebuild(origin) is { } own)
        {
            RemoteActorException.Mark(own, origin);
            return WithStack(own, origin);
        }

        return WithStack(new RemoteActorException(failure.Kind, origin), origin);
    }

    private static TimeoutException TimedOut(string what, ActorCallOptions options, CallFailure? failure) => new(
        $"{what} took longer than {(options.Timeout == Timeout.InfiniteTimeSpan ? "the call that it was made from may" : $"{options.Timeout.TotalSeconds} s")}.{(failure is null ? "" : " " + failure.Message)}");

    // The connection says whether it was refused or could not be made.
    private static ClusterException NotSent(string what, CallFailure? failure) => failure?.Kind == ActorErrorKind.PermissionDenied
        ? new ClusterException(ClusterError.Unauthenticated, $"{what} was refused: {failure.Message}")
        : new ClusterException(ClusterError.Unavailable, $"{what} could not be called: {failure?.Message}");

    private static Exception WithStack(Exception exception, RemoteExceptionInfo origin) =>
        origin.Stack.Length > 0 ? ExceptionDispatchInfo.SetRemoteStackTrace(exception, origin.Stack) : exception;

    private static Exception? Rebuild(RemoteExceptionInfo origin)
    {
        if (origin.Type.Length == 0 || MessageConstructor(origin.Type) is not { } constructor)
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
