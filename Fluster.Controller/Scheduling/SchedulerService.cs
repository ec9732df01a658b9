using Microsoft.Extensions.Options;

namespace Fluster.Controller;

/// <summary>
/// Runs the scheduler beside the loop: at once when something changed after a quiet time, at most every 20 ms when much does. It never has two
/// passes under way, so each works on a state that shows what the last one did.
/// </summary>
internal sealed partial class SchedulerService(
    ClusterLoop loop, WorkerLinks links, IOptions<ControllerOptions> options, TimeProvider time, ILogger<SchedulerService> logger) : ICommitListener
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(20);

    private readonly Lock _gate = new();
    private readonly Signal _signal = new();
    private HashSet<long> _changed = [];
    private volatile Dictionary<long, Reservation> _reservations = [];
    private long _nextDue = long.MaxValue;
    private long _passStartedAt; // ticks

    public void OnCommitted(ClusterState state, Batch batch)
    {
        if (batch.Jobs.Count == 0 && batch.Tasks.Count == 0 && batch.Workers.Count == 0)
        {
            return;
        }

        lock (_gate)
        {
            foreach (var (uid, job) in batch.Jobs)
            {
                _changed.Add(uid);
            }

            foreach (var (_, task) in batch.Tasks)
            {
                _changed.Add(task.JobUid);
            }
        }

        _signal.Set();
    }

    /// <summary>The job that a worker is kept for, as of the last pass; 0: none.</summary>
    public long ReservedFor(long workerUid) => _reservations.TryGetValue(workerUid, out var reservation) ? reservation.JobUid : 0;

    /// <summary>A worker can be reached again, or takes work again.</summary>
    public void WorkersChanged() => _signal.Set();

    /// <summary>When the present pass began, or the last one.</summary>
    public DateTimeOffset PassStartedAt => new(Interlocked.Read(ref _passStartedAt), TimeSpan.Zero);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var scheduler = new Scheduler(loop.Current, options.Value.Preemption);
        while (!cancellationToken.IsCancellationRequested)
        {
            var started = time.GetTimestamp();
            try
            {
                await PassAsync(scheduler, cancellationToken);
            }
#pragma warning disable CA1031 // A pass that fails is logged and tried again: jobs must not stop being placed for good.
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                Log.PassFailed(logger, exception);
                scheduler = new Scheduler(loop.Current, options.Value.Preemption);
                _signal.Set();
            }

            await _signal.WaitAsync(UntilDue(), time, cancellationToken);
            var pause = s_interval - time.GetElapsedTime(started);
            if (pause > TimeSpan.Zero)
            {
                await Task.Delay(pause, time, cancellationToken);
            }
        }
    }

    private async Task PassAsync(Scheduler scheduler, CancellationToken cancellationToken)
    {
        Interlocked.Exchange(ref _passStartedAt, time.GetUtcNow().UtcTicks);
        HashSet<long> changed;
        lock (_gate)
        {
            (changed, _changed) = (_changed, []);
        }

        // Read after the changes were taken: a change that this state does not show comes again.
        var state = loop.Current;
        scheduler.Update(state, changed);
        var plan = scheduler.Plan(state, loop.Now().Time, links.TakesWork);
        (_reservations, _nextDue) = (plan.Reservations, plan.NextDue);
        await Task.WhenAll(plan.Inputs().Select(input => loop.ApplyAsync(input, cancellationToken)).ToArray());
    }

    private TimeSpan UntilDue() => _nextDue == long.MaxValue
        ? Timeout.InfiniteTimeSpan
        : TimeSpan.FromMilliseconds(Math.Max(1, _nextDue - loop.Now().Time));

    private static partial class Log
    {
        [LoggerMessage(110, LogLevel.Error, "A pass of the scheduler failed; it is tried again")]
        public static partial void PassFailed(ILogger logger, Exception exception);
    }
}
