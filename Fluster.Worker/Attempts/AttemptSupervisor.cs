using System.Diagnostics;

namespace Fluster.Worker;

/// <summary>
/// Decides everything that a worker decides about attempts: brings what it holds in line with what the controller wants, ends what must
/// end, and says what the controller is to be told. Synchronous, without a clock, a disk or a process: those are outside.
/// </summary>
/// <param name="remembered">The cluster that the worker belongs to; null while it has joined none.</param>
/// <param name="forgotten">Fences that were started here and are done with: none is started again.</param>
/// <param name="wallClock">The time of day, for what people read; nothing is decided by it.</param>
internal sealed class AttemptSupervisor(ClusterIdentity? remembered, IEnumerable<Fence> forgotten, Func<DateTimeOffset> wallClock)
{
    /// <summary>Between two complete sets (architecture, worker link).</summary>
    private static readonly TimeSpan s_completeInterval = TimeSpan.FromSeconds(30);

    /// <summary>From SIGTERM to SIGKILL when the frame does not say (spec section 2).</summary>
    private static readonly TimeSpan s_defaultGrace = TimeSpan.FromSeconds(5);

    /// <summary>Of the time until the machine is gone, what is kept for killing what is left and telling the controller.</summary>
    private static readonly TimeSpan s_beforeTheEnd = TimeSpan.FromSeconds(3);

    /// <summary>After so long without a word from the controller, what must not run twice is killed (spec section 4).</summary>
    private static readonly TimeSpan s_exclusiveLease = TimeSpan.FromSeconds(30);

    /// <summary>Larger results travel as blobs.</summary>
    private const int MaxInlineBytes = 16 * 1024;

    private readonly SortedDictionary<Fence, HeldAttempt> _held = [];
    private readonly HashSet<Fence> _forgotten = [.. forgotten];
    private readonly SortedSet<Fence> _changed = [];
    private List<WorkerOutput> _outputs = [];
    private V1.WorkerHealth _health = new() { AcceptsWork = true };
    private TimeSpan _reportInterval;
    private TimeSpan _reportAt;
    private TimeSpan _completeAt;
    private TimeSpan _heardAt;
    private long _appliedVersion;
    private bool _linked;
    private bool _linkReady;
    private bool _inSync; // a complete set was applied on this link
    private bool _shuttingDown;
    private bool _draining;
    private bool _preempted;
    private bool _leaving;

    /// <summary>The cluster that the worker belongs to.</summary>
    public ClusterIdentity? Cluster { get; private set; } = remembered;

    public IReadOnlyCollection<HeldAttempt> Held => _held.Values;

    /// <summary>Whether a controller can be told.</summary>
    public bool IsLinked => _linked;

    /// <summary>The next time at which something is due.</summary>
    public TimeSpan? NextDue =>
        _held.Values.SelectMany(attempt => (TimeSpan?[])[attempt.KillAt, attempt.TimeoutAt, IsLeased(attempt) ? _heardAt + s_exclusiveLease : null])
            .Append(_linked && _linkReady ? (_inSync && _completeAt < _reportAt ? _completeAt : _reportAt) : null)
            .Min();

    /// <summary>What Hello says: every attempt that may have processes, or an outcome that was not acknowledged.</summary>
    public IReadOnlyList<V1.AttemptObservation> Holdings => [.. _held.Values.Select(attempt => attempt.ToObservation())];

    /// <param name="workerEvent">What happened.</param>
    /// <param name="now">When, on a clock that never goes back.</param>
    /// <returns>What is to be done, in this order.</returns>
    public IReadOnlyList<WorkerOutput> Handle(WorkerEvent workerEvent, TimeSpan now)
    {
        _outputs = [];
        EndWhatIsUnheard(now); // before a frame that waited while this process was stopped
        switch (workerEvent)
        {
            case WorkerEvent.Recovered recovered:
                Recover(recovered.Attempts);
                break;
            case WorkerEvent.LinkOpened opened:
                OpenLink(opened, now);
                break;
            case WorkerEvent.LinkClosed:
                (_linked, _linkReady, _inSync) = (false, false, false);
                break;
            case WorkerEvent.LinkReady:
                _linkReady = _linked;
                break;
            case WorkerEvent.DesiredArrived { Desired: var desired }:
                Reconcile(desired, now);
                break;
            case WorkerEvent.StartRecorded { Fence: var fence }:
                Begin(fence);
                break;
            case WorkerEvent.StartNotRecorded { Fence: var fence, Problem: var problem }:
                NotBegun(fence, new JobFailure(FailureKind.WorkerFault, $"The worker's disk did not take the attempt: {problem}"));
                break;
            case WorkerEvent.Running running:
                Update(running.Fence, attempt => attempt.Phase == HoldPhase.Preparing ? attempt with
                {
                    Phase = HoldPhase.Running,
                    StartedAt = running.StartedAt,
                    Ports = running.Ports,
                    TimeoutAt = attempt.Spec?.ExecutionTimeout?.ToTimeSpan() is { Ticks: > 0 } timeout ? now + timeout : null,
                } : attempt);
                break;
            case WorkerEvent.Ended { Fence: var fence, End: var end }:
                Update(fence, attempt => attempt.IsLive ? Stored(attempt, Outcomes.Of(end, attempt.Stop)) : attempt with { Unkillable = [] });
                break;
            case WorkerEvent.Undead { Fence: var fence, End: var end, Processes: var processes }:
                Update(fence, attempt => attempt.IsLive ? Stored(attempt, Outcomes.Of(end, attempt.Stop)) with { Unkillable = processes } : attempt);
                break;
            case WorkerEvent.OutcomeStored { Fence: var fence }:
                Update(fence, Settle);
                break;
            case WorkerEvent.ResultUploaded uploaded:
                Update(uploaded.Fence, attempt => attempt.Phase == HoldPhase.Uploading ? WithResult(attempt, uploaded) : attempt);
                break;
            case WorkerEvent.HealthTaken { Health: var health }:
                _health = _preempted ? Refusing(health) : health;
                break;
            case WorkerEvent.Preempted { Left: var left, Job: var job }:
                Preempt(left, job, now);
                break;
            case WorkerEvent.ShutdownRequested:
                ShutDown(now);
                break;
            case WorkerEvent.Tick:
                break;
            default:
                throw new UnreachableException();
        }

        EndWhatIsDue(now);
        Report(now);
        if (_draining && !_leaving && _held.Count == 0)
        {
            _leaving = true;
            _outputs.Add(new WorkerOutput.Leave());
        }

        return _outputs;
    }

    private void Recover(IReadOnlyList<RecoveredAttempt> attempts)
    {
        foreach (var attempt in attempts)
        {
            var held = new HeldAttempt(attempt.Fence, HoldPhase.Storing);
            _held[attempt.Fence] = attempt.Outcome is { } outcome
                ? Settle(held with { Outcome = outcome })
                : Stored(held, Outcomes.Lost(attempt.Logs, wallClock()));
        }
    }

    private void OpenLink(WorkerEvent.LinkOpened opened, TimeSpan now)
    {
        var cluster = opened.Cluster;
        var foreign = Cluster is not null && cluster.ClusterId != Cluster.ClusterId;
        if (Cluster is not null && (foreign ? !opened.Adopts : cluster.Epoch < Cluster.Epoch))
        {
            _outputs.Add(new WorkerOutput.RefuseLink(foreign
                ? $"It belongs to the cluster {cluster.ClusterId}, and this worker to {Cluster.ClusterId} ('fluster cluster adopt' there has it change)."
                : $"It is at epoch {cluster.Epoch}, and this worker has seen {Cluster.Epoch}: an older copy of the controller, perhaps a restored one ('fluster cluster adopt')."));
            return;
        }

        if (cluster != Cluster)
        {
            Cluster = cluster;
            _outputs.Add(new WorkerOutput.RememberCluster(cluster));
        }

        _heardAt = now;
        _reportInterval = opened.ReportInterval;
        (_linked, _linkReady, _inSync, _appliedVersion) = (true, true, false, 0);
        (_reportAt, _completeAt) = (now + _reportInterval, now);
        _changed.Clear(); // Hello said it all

        // Uploads that the last link broke off begin again.
        foreach (var attempt in _held.Values.Where(attempt => attempt.Phase == HoldPhase.Uploading))
        {
            _outputs.Add(new WorkerOutput.UploadResult(attempt.Fence, attempt.Outcome!.Result));
        }
    }

    private void Reconcile(V1.Desired desired, TimeSpan now)
    {
        if (!_linked || _shuttingDown || desired.Version <= _appliedVersion || !desired.Complete && !_inSync)
        {
            return;
        }

        _heardAt = now;
        foreach (var wanted in desired.Attempts)
        {
            Reconcile(wanted, now);
        }

        foreach (var fence in desired.Superseded.Select(value => new Fence(value)))
        {
            Supersede(fence);
        }

        foreach (var fence in desired.Acknowledged.Select(value => new Fence(value)))
        {
            Forget(fence);
        }

        if (desired.Complete)
        {
            // A complete set is the truth: what it does not name is not wanted. What has ended may have done so after the set was made: its end is told
            // until it is acknowledged, or the controller would never know that its capacity is free.
            var named = desired.Attempts.Select(attempt => new Fence(attempt.Fence)).ToHashSet();
            foreach (var fence in _held.Keys.Where(fence => !named.Contains(fence)).ToList())
            {
                Supersede(fence);
            }

            if (!_inSync)
            {
                (_inSync, _completeAt) = (true, now);
            }
        }

        _draining |= desired.Drain;
        _appliedVersion = desired.Version;
        if (desired.Complete || desired.Drain || desired.Attempts.Count + desired.Superseded.Count + desired.Acknowledged.Count > 0)
        {
            _reportAt = now; // so that the controller learns soon what was applied; an empty frame is an answer, and needs none
        }
    }

    private void Reconcile(V1.DesiredAttempt wanted, TimeSpan now)
    {
        var fence = new Fence(wanted.Fence);
        if (_held.ContainsKey(fence))
        {
            if (wanted.State == V1.DesiredState.Stop)
            {
                Stop(fence, new StopReason.Asked(CauseOf(wanted)), now, now + (wanted.StopGrace?.ToTimeSpan() ?? s_defaultGrace));
            }
        }
        else if (_forgotten.Contains(fence) || wanted.Spec is null)
        {
            // Done with, and never to be started again; or a frame that this worker cannot act on before the next complete one.
        }
        else if (wanted.State == V1.DesiredState.Stop)
        {
            Hold(new HeldAttempt(fence, HoldPhase.Recording) { Spec = wanted.Spec });
            NotBegun(fence, Outcomes.KilledBy(CauseOf(wanted)));
        }
        else if (!_health.AcceptsWork)
        {
            Hold(new HeldAttempt(fence, HoldPhase.Recording) { Spec = wanted.Spec });
            NotBegun(fence, new JobFailure(FailureKind.WorkerFault, $"The worker takes no work now: {string.Join(' ', _health.Problems)}"));
        }
        else
        {
            Hold(new HeldAttempt(fence, HoldPhase.Recording) { Spec = wanted.Spec });
            _outputs.Add(new WorkerOutput.RecordStart(fence, wanted.Spec));
        }
    }

    private void Begin(Fence fence) => Update(fence, attempt =>
    {
        if (attempt.Phase != HoldPhase.Recording)
        {
            return attempt;
        }

        if (attempt.Stop is { } stop) // while the disk was busy
        {
            return Stored(attempt, Outcomes.Of(new AttemptEnd { At = wallClock() }, stop));
        }

        _outputs.Add(new WorkerOutput.Start(fence, attempt.Spec!));
        return attempt with { Phase = HoldPhase.Preparing };
    });

    private void NotBegun(Fence fence, JobFailure failure) => Update(fence, attempt =>
        attempt.Phase == HoldPhase.Recording ? Stored(attempt, Outcomes.NeverStarted(failure, wallClock())) : attempt);

    /// <summary>SIGTERM now, SIGKILL later. A second request changes nothing, except that it can make the kill come sooner.</summary>
    private void Stop(Fence fence, StopReason reason, TimeSpan now, TimeSpan killAt) => Update(fence, attempt =>
    {
        if (attempt.Stop is not null || attempt.Phase > HoldPhase.Running)
        {
            return attempt.KillAt > killAt ? attempt with { KillAt = killAt } : attempt;
        }

        if (attempt.IsLive)
        {
            _outputs.Add(new WorkerOutput.Terminate(fence) { PreemptedIn = reason is StopReason.Asked { Cause: KillCause.Preemption } ? killAt - now : null });
        }

        return attempt with { Stop = reason, KillAt = killAt };
    });

    /// <summary>SIGKILL at once: a newer attempt may run already.</summary>
    private void Supersede(Fence fence) => Update(fence, attempt =>
    {
        if (attempt.Stop is StopReason.Superseded || attempt.Phase > HoldPhase.Running)
        {
            return attempt;
        }

        if (attempt.IsLive)
        {
            _outputs.Add(new WorkerOutput.Kill(fence));
        }

        return attempt with { Stop = new StopReason.Superseded(), KillAt = null };
    });

    private void Forget(Fence fence)
    {
        if (_held.TryGetValue(fence, out var attempt) && attempt is { Phase: HoldPhase.Ended or HoldPhase.Uploading, Unkillable.Count: 0 })
        {
            _held.Remove(fence);
            _changed.Remove(fence);
            _forgotten.Add(fence);
            _outputs.Add(new WorkerOutput.Forget(fence));
        }
    }

    private HeldAttempt Stored(HeldAttempt attempt, V1.AttemptOutcome outcome)
    {
        _outputs.Add(new WorkerOutput.StoreOutcome(attempt.Fence, outcome));
        return attempt with { Phase = HoldPhase.Storing, Outcome = outcome, KillAt = null, TimeoutAt = null };
    }

    private HeldAttempt Settle(HeldAttempt attempt)
    {
        if (attempt.Phase != HoldPhase.Storing)
        {
            return attempt;
        }

        if (attempt.Outcome!.Result is not { SourceCase: V1.Payload.SourceOneofCase.Inline, Inline.Length: > MaxInlineBytes } result)
        {
            return attempt with { Phase = HoldPhase.Ended };
        }

        if (_linked)
        {
            _outputs.Add(new WorkerOutput.UploadResult(attempt.Fence, result));
        }

        return attempt with { Phase = HoldPhase.Uploading };
    }

    private static HeldAttempt WithResult(HeldAttempt attempt, WorkerEvent.ResultUploaded uploaded)
    {
        var outcome = attempt.Outcome!.Clone();
        outcome.Result = uploaded.Result;
        if (uploaded.Problem is { } problem)
        {
            outcome.Succeeded = false;
            outcome.Failure = new JobFailure(FailureKind.Result, $"The cluster did not take the result: {problem}").ToWire();
        }

        return attempt with { Phase = HoldPhase.Ended, Outcome = outcome };
    }

    private void ShutDown(TimeSpan now)
    {
        _shuttingDown = true;
        foreach (var fence in _held.Keys.ToList())
        {
            Stop(fence, new StopReason.Shutdown(), now, now + s_defaultGrace);
        }
    }

    /// <summary>
    /// The machine goes: all that runs is told and asked to end, with the time that is left; nothing new is taken, and the worker ends when nothing is left. Decided here, because the
    /// controller may not be there: it learns of it from the ends.
    /// </summary>
    private void Preempt(TimeSpan left, string? job, TimeSpan now)
    {
        if (job is null)
        {
            (_preempted, _draining, _health) = (true, true, Refusing(_health));
            _reportAt = now;
        }

        var grace = left - s_beforeTheEnd > TimeSpan.FromSeconds(1) ? left - s_beforeTheEnd : left;
        foreach (var attempt in _held.Values.Where(attempt => job is null || attempt.Spec?.JobId == job).ToList())
        {
            Stop(attempt.Fence, new StopReason.Asked(KillCause.Preemption), now, now + grace);
        }
    }

    private static V1.WorkerHealth Refusing(V1.WorkerHealth health)
    {
        var refusing = health.Clone();
        refusing.AcceptsWork = false;
        refusing.Problems.Add("The cloud takes this machine away.");
        return refusing;
    }

    private static bool IsLeased(HeldAttempt attempt) =>
        attempt is { Phase: <= HoldPhase.Running, Spec.Exclusive: true } && (attempt.Stop is null || attempt.KillAt is not null);

    private void EndWhatIsUnheard(TimeSpan now)
    {
        foreach (var fence in now < _heardAt + s_exclusiveLease ? [] : _held.Values.Where(IsLeased).Select(attempt => attempt.Fence).ToList())
        {
            Update(fence, attempt =>
            {
                if (attempt.IsLive)
                {
                    _outputs.Add(new WorkerOutput.Kill(fence));
                }

                return attempt with { Stop = attempt.Stop ?? new StopReason.Unheard(), KillAt = null };
            });
        }
    }

    private void EndWhatIsDue(TimeSpan now)
    {
        foreach (var fence in _held.Values.Where(attempt => attempt.KillAt <= now || attempt.TimeoutAt <= now).Select(attempt => attempt.Fence).ToList())
        {
            Update(fence, attempt =>
            {
                if (attempt.IsLive)
                {
                    _outputs.Add(new WorkerOutput.Kill(fence));
                }

                return attempt with { Stop = attempt.Stop ?? new StopReason.TimedOut(), KillAt = null, TimeoutAt = null };
            });
        }
    }

    private void Report(TimeSpan now)
    {
        if (!_linked || !_linkReady)
        {
            return;
        }

        var complete = _inSync && now >= _completeAt;
        if (!complete && _changed.Count == 0 && now < _reportAt)
        {
            return;
        }

        var frame = new V1.Observed { AppliedVersion = _appliedVersion, Complete = complete, Health = _health };
        frame.Attempts.AddRange((complete ? _held.Keys : (IEnumerable<Fence>)_changed).Select(fence => _held[fence].ToObservation()));
        _changed.Clear();
        _linkReady = false;
        _reportAt = now + _reportInterval;
        _completeAt = complete ? now + s_completeInterval : _completeAt;
        _outputs.Add(new WorkerOutput.Send(frame));
    }

    private void Hold(HeldAttempt attempt)
    {
        _held.Add(attempt.Fence, attempt);
        _changed.Add(attempt.Fence);
    }

    private void Update(Fence fence, Func<HeldAttempt, HeldAttempt> change)
    {
        if (!_held.TryGetValue(fence, out var before))
        {
            return;
        }

        var after = change(before);
        _held[fence] = after;
        if (after.Told != before.Told || after.Phase == HoldPhase.Ended && after.Unkillable.Count != before.Unkillable.Count)
        {
            _changed.Add(fence);
        }
    }

    private static KillCause CauseOf(V1.DesiredAttempt wanted) =>
        wanted.StopCause == V1.KillCause.Unspecified ? KillCause.User : (KillCause)wanted.StopCause;
}
