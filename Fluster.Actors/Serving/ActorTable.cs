using System.Collections.Concurrent;
using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>The actors of one server, by name.</summary>
internal sealed class ActorTable(TimeProvider time) : IDisposable
{
    private readonly ConcurrentDictionary<string, HostedActor> _actors = new(StringComparer.Ordinal);
    private FlusterContext? _context;

    public IEnumerable<HostedActor> All => _actors.Values.OrderBy(actor => actor.Name, StringComparer.Ordinal);

    /// <exception cref="ArgumentException">There is one of that name already.</exception>
    public HostedActor Add(string name, object actor, ActorOptions? options)
    {
        var hosted = new HostedActor(name, actor, options, time.GetUtcNow());
        hosted.Enter(_context);
        if (!_actors.TryAdd(name, hosted))
        {
            hosted.Dispose();
            throw new ArgumentException($"This server has an actor named '{name}' already.", nameof(name));
        }

        return hosted;
    }

    /// <summary>Takes an actor away, whose calls go on. Null: there is none of that name.</summary>
    public HostedActor? Remove(string name)
    {
        if (!_actors.TryRemove(name, out var actor))
        {
            return null;
        }

        actor.Mailbox.Close();
        return actor;
    }

    /// <summary>The job in whose context methods run, also those of actors that are there already.</summary>
    public void Enter(FlusterContext? context)
    {
        _context = context;
        foreach (var actor in _actors.Values)
        {
            actor.Enter(context);
        }
    }

    /// <summary>The actor of that name; for an empty name the only one. Null, and why, when there is none.</summary>
    public HostedActor? Find(string name, out string problem)
    {
        problem = "";
        if (name.Length > 0)
        {
            if (_actors.TryGetValue(name, out var actor))
            {
                return actor;
            }

            problem = $"Actor '{name}' not found. {Known()}";
            return null;
        }

        var all = _actors.Values.ToList();
        if (all.Count == 1)
        {
            return all[0];
        }

        problem = all.Count == 0 ? Known() : $"The call names no actor, and this server has {all.Count}. {Known()}";
        return null;
    }

    /// <summary>The actor and the number of the method that a call means; null, and why, when there is none.</summary>
    public (HostedActor Actor, int Method)? Resolve(ActorTarget target, string method, int arguments, out CallFailure failure)
    {
        if (Find(target, out failure) is not { } actor)
        {
            return null;
        }

        try
        {
            if (actor.Dispatcher.Find(method, arguments) is { } number)
            {
                return (actor, number);
            }

            failure = NoMethod(actor, method);
        }
        catch (ArgumentMismatchException exception)
        {
            failure = CallFailure.Of(exception);
        }

        return null;
    }

    /// <summary>The actor that a call means, if it is still the incarnation that the caller resolved.</summary>
    public HostedActor? Find(ActorTarget target, out CallFailure failure)
    {
        failure = null!;
        if (Find(target.Actor, out var problem) is not { } actor)
        {
            failure = CallFailure.Of(target.Handle == Guid.Empty ? ActorErrorKind.NotFound : ActorErrorKind.Stale, problem);
            return null;
        }

        if (target.Handle == Guid.Empty || target.Handle == actor.Incarnation)
        {
            return actor;
        }

        failure = CallFailure.Of(ActorErrorKind.Stale, $"Actor '{actor.Name}' is another one here than the caller resolved: it was registered anew.");
        return null;
    }

    /// <summary>Takes no more calls, and lets those that are here end; what has not ended after a time is cancelled, and given a moment more.</summary>
    public async Task DrainAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        foreach (var actor in _actors.Values)
        {
            actor.Mailbox.Close();
        }

        if (await EmptyAsync(patience, cancellationToken).ConfigureAwait(false))
        {
            return;
        }

        foreach (var actor in _actors.Values)
        {
            actor.Mailbox.CancelAll();
        }

        await EmptyAsync(TimeSpan.FromSeconds(1), cancellationToken).ConfigureAwait(false);
    }

    public static CallFailure NoMethod(HostedActor actor, string method) =>
        CallFailure.Of(ActorErrorKind.NotFound, $"Method '{method}' not found on actor '{actor.Name}'.");

    public void Dispose()
    {
        foreach (var actor in _actors.Values)
        {
            actor.Dispose();
        }
    }

    private async Task<bool> EmptyAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        var since = TimeProvider.System.GetTimestamp();
        while (_actors.Values.Any(actor => actor.Mailbox.Count > 0))
        {
            if (TimeProvider.System.GetElapsedTime(since) > patience || cancellationToken.IsCancellationRequested)
            {
                return false;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, CancellationToken.None).ConfigureAwait(false);
        }

        return true;
    }

    private string Known() => _actors.IsEmpty
        ? "This server has no actors."
        : $"This server has: {string.Join(", ", _actors.Keys.Order(StringComparer.Ordinal))}.";
}
