using System.Diagnostics;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Fluster.Worker;

/// <summary>
/// The shell around <see cref="AttemptSupervisor"/>: brings it events one at a time and does what it says. Decides nothing.
/// </summary>
internal sealed partial class AttemptLoop : IDisposable
{
    private readonly Channel<WorkerEvent> _events = Channel.CreateUnbounded<WorkerEvent>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Dictionary<Fence, IRunningAttempt> _running = []; // the loop's only
    private readonly HashSet<Fence> _forgotten = []; // of this run, with logs still to send
    private readonly Lock _gate = new(); // the supervisor is asked by the link, too
    private readonly AttemptSupervisor _supervisor;
    private readonly AttemptSpool _spool;
    private readonly ClusterMemory _memory;
    private readonly BlobTransfer _blobs;
    private readonly TimeProvider _time;
    private readonly ILogger<AttemptLoop> _logger;
    private readonly CancellationTokenSource _ended = new();
    private bool _leaving; // under _gate

    public AttemptLoop(AttemptSpool spool, ClusterMemory memory, BlobTransfer blobs, TimeProvider time, ILogger<AttemptLoop> logger)
    {
        (_spool, _memory, _blobs, _time, _logger) = (spool, memory, blobs, time, logger);
        _supervisor = new AttemptSupervisor(memory.Cluster, spool.Forgotten, time.GetUtcNow);
    }

    /// <summary>What runs attempts.</summary>
    public required IJobRuntime Runtime { get; init; }

    /// <summary>Who speaks with the controller. Set before <see cref="RunAsync"/>.</summary>
    public ControllerLink? Link { get; set; }

    /// <summary>Who sends the logs. Set before <see cref="RunAsync"/>.</summary>
    public LogSender? Logs { get; set; }

    /// <summary>Called when the controller wants this worker to end and nothing is left to do.</summary>
    public Action Drained { get; set; } = () => { };

    /// <summary>The cluster that the worker belongs to.</summary>
    public ClusterIdentity? Cluster
    {
        get
        {
            lock (_gate)
            {
                return _supervisor.Cluster;
            }
        }
    }

    public IReadOnlyList<V1.AttemptObservation> Holdings
    {
        get
        {
            lock (_gate)
            {
                return _supervisor.Holdings;
            }
        }
    }

    /// <summary>Attempts that have processes, or may have some.</summary>
    public int LiveAttempts
    {
        get
        {
            lock (_gate)
            {
                return _supervisor.Held.Count(attempt => attempt.IsLive);
            }
        }
    }

    /// <summary>Brings an event. Never waits.</summary>
    public void Post(WorkerEvent workerEvent) => _events.Writer.TryWrite(workerEvent);

    /// <summary>Opens the log of an attempt that is being started.</summary>
    public LogSpool OpenLog(Fence fence, V1.AttemptSpec spec)
    {
        var log = _spool.OpenLog(fence, spec, Logs!.Signal);
        Logs.Add(fence, log);
        return log;
    }

    /// <summary>Takes over what an earlier run left. Everything that it had running is gone.</summary>
    public void Recover()
    {
        var (attempts, logs) = _spool.Recover(Logs!.Signal);
        foreach (var (fence, log) in logs)
        {
            if (attempts.All(attempt => attempt.Fence != fence))
            {
                _forgotten.Add(fence);
            }

            Logs.Add(fence, log);
        }

        Handle(new WorkerEvent.Recovered(attempts));
        foreach (var fence in _forgotten.ToList())
        {
            LogAcknowledged(fence); // perhaps it was, and only its files were still there
        }
    }

    /// <summary>All chunks that a log has now are on the controller's disk.</summary>
    public void LogAcknowledged(Fence fence)
    {
        lock (_gate)
        {
            if (!_forgotten.Contains(fence) || Logs!.IsPending(fence))
            {
                return;
            }

            _forgotten.Remove(fence);
        }

        Logs.Remove(fence);
        Try(fence, () => _spool.RemoveLog(fence));
        LeaveIfNothingIsLeft();
    }

    /// <summary>Handles events until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            while (_events.Reader.TryRead(out var workerEvent))
            {
                Handle(workerEvent);
            }

            TimeSpan? due;
            lock (_gate)
            {
                due = _supervisor.NextDue;
            }

            if (due is not { } at)
            {
                await _events.Reader.WaitToReadAsync(cancellationToken);
            }
            else if (at <= Now || !await WaitForEventAsync(at - Now, cancellationToken))
            {
                Handle(new WorkerEvent.Tick());
            }
        }
    }

    /// <summary>Ends every attempt, and returns when nothing of them is left and the controller knows it, or the time is over.</summary>
    public async Task ShutDownAsync(TimeSpan patience)
    {
        Post(new WorkerEvent.ShutdownRequested());
        var started = _time.GetTimestamp();
        while (_time.GetElapsedTime(started) < patience)
        {
            lock (_gate)
            {
                // Without a link nobody can be told: the next run does.
                if (_supervisor.Held.Count == 0 || !_supervisor.IsLinked && _supervisor.Held.All(attempt => attempt.Phase is HoldPhase.Ended or HoldPhase.Uploading))
                {
                    return;
                }
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), _time);
        }
    }

    public void Dispose()
    {
        _ended.Cancel();
        _ended.Dispose();
    }

    private TimeSpan Now => _time.GetElapsedTime(0);

    private async Task<bool> WaitForEventAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var due = new CancellationTokenSource(timeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(due.Token, cancellationToken);
        try
        {
            return await _events.Reader.WaitToReadAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    private void Handle(WorkerEvent workerEvent)
    {
        IReadOnlyList<WorkerOutput> outputs;
        lock (_gate)
        {
            outputs = _supervisor.Handle(workerEvent, Now);
        }

        if (workerEvent is WorkerEvent.Ended ended)
        {
            _running.Remove(ended.Fence);
        }

        foreach (var output in outputs)
        {
            Execute(output);
        }
    }

    private void Execute(WorkerOutput output)
    {
        switch (output)
        {
            case WorkerOutput.RecordStart(var fence, var spec):
                if (spec.Trace is { } trace)
                {
                    trace.ReceivedAt = Google.Protobuf.WellKnownTypes.Timestamp.FromDateTimeOffset(_time.GetUtcNow()); // its span begins now
                }

                try
                {
                    _spool.Start(fence, spec);
                    Post(new WorkerEvent.StartRecorded(fence));
                }
                catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
                {
                    Log.SpoolFailed(_logger, exception, fence);
                    Post(new WorkerEvent.StartNotRecorded(fence, exception.Message));
                }

                break;
            case WorkerOutput.Start(var fence, var spec):
                Log.Starting(_logger, fence, spec.JobId, spec.TaskIndex);
                Start(fence, spec);
                break;
            case WorkerOutput.Terminate(var fence) terminate:
                if (terminate.PreemptedIn is { } left)
                {
                    _running.GetValueOrDefault(fence)?.Notify(new PreemptionNotice(_time.GetUtcNow() + left));
                }

                _running.GetValueOrDefault(fence)?.Terminate();
                break;
            case WorkerOutput.Kill(var fence):
                _running.GetValueOrDefault(fence)?.Kill();
                break;
            case WorkerOutput.StoreOutcome(var fence, var outcome):
                Log.Ended(_logger, fence, outcome.Succeeded ? "Succeeded" : outcome.Failure.Message);
                Try(fence, () => _spool.Store(fence, outcome)); // a disk that refuses must not keep the outcome from the controller
                Post(new WorkerEvent.OutcomeStored(fence));
                break;
            case WorkerOutput.UploadResult(var fence, var result):
                _ = Detached.Run(() => UploadAsync(fence, result));
                break;
            case WorkerOutput.Forget(var fence):
                Try(fence, () => _spool.Forget(fence));
                lock (_gate)
                {
                    _forgotten.Add(fence);
                }

                LogAcknowledged(fence);
                break;
            case WorkerOutput.Send(var frame):
                Link!.Send(frame);
                break;
            case WorkerOutput.RememberCluster(var cluster):
                _memory.Remember(cluster, Link!.Welcome?.ClusterKey ?? "");
                break;
            case WorkerOutput.Leave:
                lock (_gate)
                {
                    _leaving = true;
                }

                LeaveIfNothingIsLeft();
                break;
            case WorkerOutput.RefuseLink(var reason):
                Link!.Refuse(reason);
                break;
            default:
                throw new UnreachableException();
        }
    }

    private void LeaveIfNothingIsLeft()
    {
        lock (_gate)
        {
            if (!_leaving || _forgotten.Count > 0)
            {
                return;
            }
        }

        Log.Drained(_logger);
        Drained();
    }

    private void Start(Fence fence, V1.AttemptSpec spec)
    {
        try
        {
            _running[fence] = Runtime.Start(fence, spec, Post);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            Log.StartFailed(_logger, exception, fence);
            Post(new WorkerEvent.Ended(fence, new AttemptEnd
            {
                At = _time.GetUtcNow(),
                Failure = new JobFailure(FailureKind.WorkerFault, $"The worker could not run it: {exception.Message}"),
            }));
        }
    }

    private async Task UploadAsync(Fence fence, V1.Payload result)
    {
        try
        {
            var blob = await _blobs.UploadAsync(result.Inline.Memory, _ended.Token);
            Post(new WorkerEvent.ResultUploaded(fence, new V1.Payload { Blob = blob }, Problem: null));
        }
        catch (BlobRefusedException exception)
        {
            Post(new WorkerEvent.ResultUploaded(fence, Result: null, exception.Message));
        }
        catch (OperationCanceledException)
        {
            // The worker ends. The next run uploads it.
        }
    }

    private void Try(Fence fence, Action action)
    {
        try
        {
            action();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Log.SpoolFailed(_logger, exception, fence);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(200, LogLevel.Information, "Attempt {Fence} of {Job}, task {Task}, starts.")]
        public static partial void Starting(ILogger logger, Fence fence, string job, int task);

        [LoggerMessage(201, LogLevel.Information, "Attempt {Fence} has ended: {Outcome}")]
        public static partial void Ended(ILogger logger, Fence fence, string outcome);

        [LoggerMessage(202, LogLevel.Error, "The spool did not take what belongs to attempt {Fence}.")]
        public static partial void SpoolFailed(ILogger logger, Exception exception, Fence fence);

        [LoggerMessage(206, LogLevel.Information, "The worker was drained: nothing is left, and it ends.")]
        public static partial void Drained(ILogger logger);

        [LoggerMessage(203, LogLevel.Error, "Attempt {Fence} could not be started.")]
        public static partial void StartFailed(ILogger logger, Exception exception, Fence fence);
    }
}
