using System.Diagnostics;

namespace Fluster.Actors;

/// <summary>Leads the calls of a client to a server.</summary>
internal abstract class ActorRoute(string name) : IDisposable
{
    private volatile Hop? _current;

    /// <summary>The actor's name.</summary>
    public string Name { get; } = name;

    /// <summary>Where the calls go, for people.</summary>
    public virtual string Display => _current is { } hop ? $"actor '{Name}' at {hop.Address}" : $"actor '{Name}'";

    /// <summary>Where a call went, for people.</summary>
    public virtual string DisplayOf(PendingCall call) => Display;

    /// <summary>Whether there may be another endpoint when one cannot be reached.</summary>
    public abstract bool CanMove { get; }

    protected Hop? Current
    {
        get => _current;
        set => _current = value;
    }

    /// <summary>
    /// Makes a call ready: its deadline, which is never later than that of the call it is made from, and what it inherits. Gives the
    /// connection if there is one.
    /// </summary>
    /// <exception cref="TimeoutException">The deadline of the call that this one is made from is past.</exception>
    public bool TryBegin(PendingCall call, ActorCallOptions options, CancellationToken cancellationToken, out ActorConnection connection)
    {
        call.Arguments.End();
        call.Deadline = CallScope.After(options.Timeout);
        if (CallScope.Current is { } scope)
        {
            call.Chain = scope.Chain.Length <= CallScope.MostEntries
                ? scope.Chain
                : throw new InvalidOperationException($"{Name}.{call.Method.Name} would be the call number {scope.Chain.Length} of one chain: {CallScope.MostEntries} is the most. {CallScope.Describe(scope.Chain)}");
            call.Deadline = CallScope.Earlier(call.Deadline, scope.Deadline);
            if (call.Deadline != 0 && Stopwatch.GetTimestamp() >= call.Deadline)
            {
                throw new TimeoutException($"{Name}.{call.Method.Name} was not sent: the deadline of the call that makes it is past.");
            }
        }

        call.Trace = Activity.Current?.Context ?? default;
        if (_current is { Connection.IsUsable: true } hop && !cancellationToken.IsCancellationRequested)
        {
            call.Target = hop.Target;
            connection = hop.Connection;
            return true;
        }

        connection = null!;
        return false;
    }

    /// <summary>A connection for the call, once there is one.</summary>
    /// <exception cref="TimeoutException">There is none before the call's deadline.</exception>
    public abstract Task<ActorConnection> ConnectAsync(PendingCall call, CancellationToken cancellationToken);

    /// <summary>A call over this connection did not work: it is looked at again before the next one.</summary>
    public virtual void Doubt(ActorConnection connection, ActorTarget target)
    {
        if (_current is { } hop && hop.Connection == connection && hop.Target == target)
        {
            _current = null;
        }
    }

    public abstract void Dispose();

    /// <param name="Target">The actor there.</param>
    /// <param name="Address">The server's address.</param>
    /// <param name="Connection">The way to it.</param>
    protected sealed record Hop(ActorTarget Target, string Address, ActorConnection Connection);
}
