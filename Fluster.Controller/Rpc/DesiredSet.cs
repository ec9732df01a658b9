using System.Collections.Immutable;
using Google.Protobuf.WellKnownTypes;

namespace Fluster.Controller;

/// <summary>
/// What one connection of a worker was told to hold. Compares the published state with it and makes the next frame. Synchronous; the
/// connection's reader and sender share it under its lock.
/// </summary>
internal sealed class DesiredSet(long workerUid, ulong incarnation, Func<JobRecord, AttemptRecord, ClusterState, V1.AttemptSpec> specOf)
{
    private static readonly Duration s_grace = Duration.FromTimeSpan(TimeSpan.FromSeconds(5));

    private readonly Lock _gate = new();
    private readonly Dictionary<Fence, Sent> _sent = [];
    private readonly SortedSet<Fence> _zombies = [];
    private readonly SortedSet<Fence> _acknowledged = [];
    private bool _draining;

    /// <summary>The next frame; null when there is nothing to say.</summary>
    /// <param name="state">The published state.</param>
    /// <param name="complete">All of it, or what is new.</param>
    /// <param name="version">Of the frame.</param>
    /// <param name="answer">A frame goes out even if there is nothing to say: the worker is to know that it was heard.</param>
    public V1.Desired? Next(ClusterState state, bool complete, Func<long> version, bool answer = false)
    {
        lock (_gate)
        {
            var draining = state.Workers.Find(workerUid) is { Draining: true } worker && worker.Incarnation == incarnation;
            var frame = new V1.Desired { Complete = complete, Drain = draining };
            var named = new HashSet<Fence>();
            var begun = new List<Fence>();
            foreach (var fence in Held(state))
            {
                if (state.Attempt(fence) is { IsLive: true } attempt)
                {
                    named.Add(fence);
                    if (!_sent.ContainsKey(fence))
                    {
                        begun.Add(fence);
                    }

                    Name(state, attempt, complete, frame);
                }
            }

            // What the worker has and the state no longer wants. Those that ended by the worker's own word are dead already.
            foreach (var fence in _sent.Keys.Where(fence => !named.Contains(fence)).ToArray())
            {
                _sent.Remove(fence);
                if (state.Attempt(fence) is not { Dead: true })
                {
                    _zombies.Add(fence);
                }
            }

            frame.Superseded.AddRange(_zombies.Where(fence => !named.Contains(fence)).Select(fence => fence.Value));
            frame.Acknowledged.AddRange(_acknowledged.Select(fence => fence.Value));
            _zombies.Clear();
            _acknowledged.Clear();
            if (!complete && !answer && draining == _draining && frame.Attempts.Count == 0 && frame.Superseded.Count == 0 && frame.Acknowledged.Count == 0)
            {
                return null;
            }

            _draining = draining;
            frame.Version = version();
            foreach (var fence in begun)
            {
                _sent[fence] = _sent[fence] with { Version = frame.Version };
            }

            return frame;
        }
    }

    /// <summary>What a complete set of the worker leaves out although it has confirmed the frame that named it.</summary>
    public IReadOnlyList<Fence> MissingFrom(V1.Observed observed)
    {
        if (!observed.Complete)
        {
            return [];
        }

        var seen = observed.Attempts.Select(attempt => new Fence(attempt.Fence)).ToHashSet();
        lock (_gate)
        {
            return [.. _sent.Where(sent => sent.Value.Version <= observed.AppliedVersion && !seen.Contains(sent.Key)).Select(sent => sent.Key).Order()];
        }
    }

    /// <summary>Whether something runs there that its worker ends by itself when it does not hear the controller.</summary>
    public bool HasExclusive(ClusterState state) =>
        Held(state).Any(fence => state.Attempt(fence) is { IsLive: true } attempt && state.Jobs.Find(attempt.JobUid) is { Terms.Exclusive: true });

    /// <summary>Takes note of what the worker said, after the state took it in: outcomes to confirm, and processes that nobody wants.</summary>
    /// <returns>Whether there is something to send.</returns>
    public bool Applied(IEnumerable<Observation> seen, ClusterState state)
    {
        var something = false;
        lock (_gate)
        {
            foreach (var observation in seen)
            {
                if (observation.Phase == AttemptPhase.Ended)
                {
                    // What cannot be killed is not done with: the worker has its death still to tell.
                    something |= !observation.Undead && _acknowledged.Add(observation.Fence);
                }
                else if (state.Attempt(observation.Fence) is not { IsLive: true } attempt || attempt.WorkerUid != workerUid)
                {
                    something |= _zombies.Add(observation.Fence);
                }
            }
        }

        return something;
    }

    private ImmutableArray<Fence> Held(ClusterState state) =>
        state.Workers.Find(workerUid) is { } worker && worker.Incarnation == incarnation ? worker.Held : [];

    private void Name(ClusterState state, AttemptRecord attempt, bool complete, V1.Desired frame)
    {
        var stopping = attempt.IsStopping;
        var known = _sent.TryGetValue(attempt.Fence, out var sent);
        if (known && sent!.Stopping == stopping && !complete)
        {
            return;
        }

        var spec = sent?.Spec ?? specOf(state.Jobs.Find(attempt.JobUid)!, attempt, state);
        var desired = new V1.DesiredAttempt
        {
            Fence = attempt.Fence.Value,
            State = stopping ? V1.DesiredState.Stop : V1.DesiredState.Run,
            Spec = complete || !known ? spec : null,
        };
        if (stopping)
        {
            desired.StopCause = attempt.StopCause is { } cause ? (V1.KillCause)cause : V1.KillCause.Unspecified;
            desired.StopGrace = s_grace;
        }

        frame.Attempts.Add(desired);
        _sent[attempt.Fence] = new Sent(spec, stopping, sent?.Version ?? long.MaxValue);
    }

    private sealed record Sent(V1.AttemptSpec Spec, bool Stopping, long Version);
}
