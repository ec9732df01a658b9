using System.Diagnostics;

namespace Fluster.Controller;

/// <summary>The rules, or the disk, refused an input; nothing was changed.</summary>
internal sealed class ClusterRejectedException(Rejection rejection) : Exception(rejection.Message)
{
    public Rejection Rejection { get; } = rejection;
}

/// <summary>Sees every batch right after it was published. Called on the loop's thread: takes note and returns.</summary>
internal interface ICommitListener
{
    void OnCommitted(ClusterState state, Batch batch);
}

/// <summary>
/// Owns the cluster state. One thread applies inputs one at a time, writes a batch of them in one transaction, and only then publishes
/// the new state, answers every caller and starts effects. Everybody else reads <see cref="Current"/>.
/// </summary>
internal sealed partial class ClusterLoop : IDisposable
{
    /// <summary>Inputs of one batch; past it, those who came first are answered first.</summary>
    private const int MostPerBatch = 1024;

    /// <summary>Time for the steps of one batch, for the same reason.</summary>
    private static readonly TimeSpan s_longestBatch = TimeSpan.FromMilliseconds(10);

    private static readonly TimeSpan s_tick = TimeSpan.FromSeconds(1);

    private readonly Inbox _inbox = new();
    private readonly LoopCore _core;
    private readonly IBatchStore _store;
    private readonly ClusterClock _clock;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Action<Exception> _onFatal;
    private readonly List<Envelope> _applied = [];
    private Thread? _thread;
    private ICommitListener[] _listeners = [];
    private Action<ClusterEffect> _startEffect = _ => { };
    private volatile ClusterState _current;
    private volatile bool _stopped;
    private long _lastTick;

    /// <param name="state">What was read from the store.</param>
    /// <param name="directory">The index of job ids, shared with readers.</param>
    /// <param name="store">Where batches are written. Used by the loop's thread only.</param>
    /// <param name="leases">When workers count as silent.</param>
    /// <param name="time">The clock.</param>
    /// <param name="onFatal">Called when the store failed: what is on the disk is unknown, and this process must end.</param>
    /// <param name="logger">The log.</param>
    /// <param name="step">The rules; null: those of <see cref="ClusterMachine"/>.</param>
    public ClusterLoop(
        ClusterState state,
        JobDirectory directory,
        IBatchStore store,
        LeaseSettings leases,
        TimeProvider time,
        Action<Exception> onFatal,
        ILogger<ClusterLoop> logger,
        StepRule? step = null)
    {
        _current = state;
        _core = new LoopCore(state, directory, leases, step ?? ClusterMachine.Step);
        _store = store;
        _time = time;
        _clock = new ClusterClock(time, state.Meta.Time);
        _logger = logger;
        _onFatal = onFatal;
        Directory = directory;
    }

    /// <summary>The latest state. A snapshot: it does not change under the reader.</summary>
    public ClusterState Current => _current;

    /// <summary>Finds jobs of <see cref="Current"/> by id.</summary>
    public JobDirectory Directory { get; }

    /// <summary>Most workers fell silent at once, which is taken for the network's doing: losses wait.</summary>
    public bool MassSilence => _core.MassSilence;

    public ClusterNow Now() => _clock.Now();

    /// <param name="startEffect">Starts an effect; never waits.</param>
    /// <param name="listeners">See every batch.</param>
    public void Start(Action<ClusterEffect> startEffect, params ICommitListener[] listeners)
    {
        Prepare(startEffect, listeners);
        _thread = new Thread(Run) { IsBackground = true, Name = "cluster loop" };
        _thread.Start();
    }

    /// <summary>As <see cref="Start"/>, for a caller that makes the passes itself, on one thread.</summary>
    public void Prepare(Action<ClusterEffect> startEffect, params ICommitListener[] listeners)
    {
        _startEffect = startEffect;
        _listeners = listeners;
        _lastTick = _time.GetTimestamp();
    }

    /// <summary>Puts an input where the next <see cref="Pass"/> finds it, for a caller that makes the passes itself.</summary>
    public Envelope Put(ClusterInput input)
    {
        var envelope = new Envelope(input, answered: true);
        var put = input is ClusterInput.SubmitJob ? _inbox.PutSubmitAsync(envelope, CancellationToken.None) : _inbox.PutFactAsync(envelope, CancellationToken.None);
        return put.IsCompletedSuccessfully ? envelope : throw new InvalidOperationException("The inbox is full: a pass has to come first.");
    }

    /// <summary>Applies a fact and waits until it is on the disk and part of <see cref="Current"/>.</summary>
    /// <exception cref="ClusterRejectedException">It was refused; nothing changed.</exception>
    public async Task<StepResult> ApplyAsync(ClusterInput input, CancellationToken cancellationToken)
    {
        var envelope = new Envelope(input, answered: true);
        await _inbox.PutFactAsync(envelope, cancellationToken);
        return Accepted(await envelope.Done.WaitAsync(cancellationToken));
    }

    /// <summary>Applies a submit and waits until it is on the disk and part of <see cref="Current"/>.</summary>
    /// <exception cref="ClusterRejectedException">It was refused; nothing changed.</exception>
    public async Task<StepResult> SubmitAsync(ClusterInput.SubmitJob input, CancellationToken cancellationToken)
    {
        var envelope = new Envelope(input, answered: true);
        await _inbox.PutSubmitAsync(envelope, cancellationToken);
        return Accepted(await envelope.Done.WaitAsync(cancellationToken));
    }

    /// <summary>Applies a fact that nobody waits for.</summary>
    public ValueTask PostAsync(ClusterInput input, CancellationToken cancellationToken) => _inbox.PutFactAsync(new Envelope(input, answered: false), cancellationToken);

    public void Dispose()
    {
        _stopped = true;
        _inbox.Wake();
        _thread?.Join();

        while (_inbox.TryTakeFact(out var envelope) || _inbox.TryTakeSubmit(out envelope))
        {
            Refuse(envelope, "The controller is shutting down.");
        }

        _inbox.Dispose();
    }

    private static StepResult Accepted(StepResult result) => result.Rejection is { } rejection ? throw new ClusterRejectedException(rejection) : result;

    private static void Refuse(Envelope envelope, string why)
    {
        envelope.Fault = new ClusterRejectedException(new Rejection(RejectionKind.Unavailable, why));
        envelope.Answer();
    }

    private void Run()
    {
        try
        {
            while (!_stopped)
            {
                _inbox.Wait(TimeToSleep());
                Pass();
            }
        }
#pragma warning disable CA1031 // Whatever it is: the state in memory can no longer be trusted to be the one on the disk.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Log.LoopFailed(_logger, exception);
            foreach (var envelope in _applied)
            {
                Refuse(envelope, "The controller's store failed; the controller is restarting.");
            }

            _onFatal(exception);
        }
    }

    /// <summary>How long nothing is to be done, unless something is put in.</summary>
    public TimeSpan TimeToSleep()
    {
        if (_core.HasFollowing)
        {
            return TimeSpan.Zero;
        }

        var untilTick = s_tick - _time.GetElapsedTime(_lastTick);
        var untilDue = _core.NextDue == long.MaxValue ? untilTick : TimeSpan.FromMilliseconds(Math.Max(0, _core.NextDue - _clock.Now().Time));
        return untilDue < untilTick ? untilDue : untilTick;
    }

    /// <summary>Applies what waits, writes it, publishes it, answers, and starts effects: in this order.</summary>
    public void Pass()
    {
        var now = _clock.Now();
        var started = _time.GetTimestamp();
        while (MayApplyMore(started) && _inbox.TryTakeFact(out var fact))
        {
            Apply(fact, now);
        }

        if (!_inbox.HasFacts && _time.GetElapsedTime(_lastTick) >= s_tick)
        {
            _lastTick = _time.GetTimestamp();
            _core.TickLeases(now);
        }

        _core.ApplyDue(now);
        _core.ApplyFollowing(now);
        while (MayApplyMore(started) && _inbox.TryTakeSubmit(out var submit))
        {
            Apply(submit, now);
        }

        Commit(now);
    }

    private bool MayApplyMore(long started) => _applied.Count < MostPerBatch && _time.GetElapsedTime(started) < s_longestBatch;

    private void Apply(Envelope envelope, ClusterNow now)
    {
        _applied.Add(envelope);

        // Part of whoever's trace it is; a heartbeat or a tick is nobody's and gets none of its own.
        using var activity = envelope.Parent == default ? null : ControllerTelemetry.Source.StartActivity("step", ActivityKind.Internal, envelope.Parent);
        try
        {
            envelope.Result = _core.Apply(envelope.Input, now);
        }
#pragma warning disable CA1031 // A rule that throws fails its own caller; the view is folded only afterwards, so it is intact.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Log.RuleFailed(_logger, envelope.Input.GetType().Name, exception);
            envelope.Fault = exception;
        }
    }

    private void Commit(ClusterNow now)
    {
        if (_core.Batch.IsEmpty)
        {
            // Nothing to write; effects of steps that changed nothing (there are none that must not run twice) still start.
            foreach (var effect in _core.Keep(out _))
            {
                _startEffect(effect);
            }

            Answer();
            return;
        }

        try
        {
            var published = _core.Published;
            _store.Commit(_core.Batch, _core.MetaAt(now), uid => published.Jobs.Find(uid) is null);
        }
        catch (StoreFullException exception)
        {
            Log.DiskFull(_logger, exception);
            _core.Forget();
            foreach (var envelope in _applied)
            {
                Refuse(envelope, "The controller's disk is full: nothing was changed.");
            }

            _applied.Clear();
            return;
        }

        var effects = _core.Keep(out var batch);
        _current = _core.Published;
        foreach (var listener in _listeners)
        {
            listener.OnCommitted(_current, batch);
        }

        Answer();
        foreach (var effect in effects)
        {
            _startEffect(effect);
        }
    }

    private void Answer()
    {
        foreach (var envelope in _applied)
        {
            envelope.Answer();
        }

        _applied.Clear();
    }

    private static partial class Log
    {
        [LoggerMessage(101, LogLevel.Critical, "The cluster loop has failed; the process ends so that the state is read from the disk again")]
        public static partial void LoopFailed(ILogger logger, Exception exception);

        [LoggerMessage(102, LogLevel.Error, "A rule failed on {Input}; nothing was changed")]
        public static partial void RuleFailed(ILogger logger, string input, Exception exception);

        [LoggerMessage(103, LogLevel.Error, "The disk is full: a batch was dropped and its callers were told so")]
        public static partial void DiskFull(ILogger logger, Exception exception);
    }
}
