namespace Fluster.Controller;

/// <summary>The rules, as <see cref="ClusterMachine.Step"/> has them.</summary>
internal delegate StepResult StepRule(ClusterView view, ClusterInput input, ClusterNow now);

/// <summary>
/// What the loop decides, without its thread, disk and clock: steps are folded into one batch at a time, which is then kept or forgotten as
/// a whole. Synchronous; the simulator drives it as the loop does.
/// </summary>
internal sealed class LoopCore
{
    private readonly ClusterView _view;
    private readonly LeaseTracker _leases;
    private readonly RegistrationLeases _registrations;
    private readonly StepRule _step;
    private readonly Queue<ClusterInput> _following = new();
    private List<ClusterEffect> _effects = [];

    public LoopCore(ClusterState state, JobDirectory directory, LeaseSettings leases, StepRule step)
    {
        _step = step;
        Published = state;
        _view = new ClusterView(state, directory);
        _leases = new LeaseTracker(leases);
        _registrations = new RegistrationLeases(leases);
        foreach (var worker in state.Workers.Ascending())
        {
            if (worker.State != WorkerState.Lost)
            {
                _leases.Heard(worker.Uid, worker.Incarnation);
            }
        }

        foreach (var registration in state.Registrations.Ascending().Where(registration => !registration.Ended))
        {
            _registrations.Heard(registration.Uid);
        }
    }

    /// <summary>The state of the last batch that was kept.</summary>
    public ClusterState Published { get; private set; }

    /// <summary>What changed since.</summary>
    public Batch Batch { get; private set; } = new();

    /// <summary>Cluster time at which <see cref="ApplyDue"/> has something to do.</summary>
    public long NextDue => _view.NextDue;

    public bool HasFollowing => _following.Count > 0;

    public bool MassSilence => _leases.MassSilence;

    public StepResult Apply(ClusterInput input, ClusterNow now)
    {
        var result = _step(_view, input, now);
        if (result.Rejection is not null)
        {
            return result;
        }

        if (!result.Changes.IsEmpty)
        {
            Batch.Add(result.Changes, _view);
            _view.Fold(result.Changes);
        }

        foreach (var effect in result.Effects)
        {
            if (effect is ClusterEffect.GoOn goOn)
            {
                _following.Enqueue(goOn.Input);
            }
            else
            {
                _effects.Add(effect);
            }
        }

        switch (input)
        {
            case ClusterInput.Hello hello:
                _leases.Heard(result.Subject, hello.Incarnation);
                break;
            case ClusterInput.Observe observe when _view.Worker(observe.WorkerUid) is not { State: WorkerState.Lost }:
                _leases.Heard(observe.WorkerUid, observe.Incarnation);
                break;
            case ClusterInput.OpenRegistration or ClusterInput.HearRegistration:
                _registrations.Heard(result.Subject);
                break;
        }

        return result;
    }

    /// <summary>Goes on with one step that was cut short, if there is one.</summary>
    public void ApplyFollowing(ClusterNow now)
    {
        if (_following.TryDequeue(out var input))
        {
            Apply(input, now);
        }
    }

    public void ApplyDue(ClusterNow now)
    {
        if (_view.NextDue <= now.Time)
        {
            Apply(new ClusterInput.Tick(), now);
        }
    }

    /// <summary>One second has passed, and every frame that was waiting has been applied.</summary>
    public void TickLeases(ClusterNow now)
    {
        foreach (var silence in _leases.Tick())
        {
            Apply(silence, now);
        }

        foreach (var uid in _registrations.Tick())
        {
            Apply(new ClusterInput.EndRegistration(uid, Lost: true), now);
        }
    }

    /// <summary>What there is one of, as it is to be written with the batch.</summary>
    public ClusterMeta MetaAt(ClusterNow now) => _view.Meta with { Time = now.Time };

    /// <summary>The batch is on the disk: publishes the new state.</summary>
    /// <returns>What is to be done outside now, in this order.</returns>
    public IReadOnlyList<ClusterEffect> Keep(out Batch batch)
    {
        batch = Batch;
        var effects = _effects;
        Batch = new Batch();
        _effects = [];
        Published = _view.ToState();
        foreach (var (uid, worker) in batch.Workers)
        {
            if (worker is null)
            {
                _leases.Forget(uid);
            }
        }

        foreach (var (uid, registration) in batch.Registrations)
        {
            if (registration is null or { Ended: true })
            {
                _registrations.Ended(uid); // not before: one whose end is forgotten with its batch ends at the next tick
            }
        }

        return effects;
    }

    /// <summary>The batch could not be written: forgets it. What steps left to following ones is found again by <see cref="OwedEffects"/>.</summary>
    public void Forget()
    {
        Batch = new Batch();
        _effects = [];
        _following.Clear();
        _view.Reset(Published);

        // A registration that never was has no lease.
        _registrations.Reset(Published.Registrations.Ascending().Where(registration => !registration.Ended).Select(registration => registration.Uid));
    }
}
