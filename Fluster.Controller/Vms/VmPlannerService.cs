using System.Security.Cryptography;

namespace Fluster.Controller;

/// <summary>
/// Runs the planner of machines beside the loop: soon after something changed, and at most five times a second. It never has two passes under way, so each works on
/// a state that shows what the last one asked for. Without backends it does nothing.
/// </summary>
internal sealed partial class VmPlannerService(ClusterLoop loop, WorkerLinks links, VmSources sources, TimeProvider time, ILogger<VmPlannerService> logger) : ICommitListener
{
    private const int RandomBytes = 4;

    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(200);

    /// <summary>After which it looks again whatever happened: workers come back, or take no work any more, without a commit.</summary>
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private readonly Signal _signal = new();
    private HashSet<long> _changed = [];
    private long _nextDue = long.MaxValue;
    private volatile bool _isPaused;

    /// <summary>No machines are asked for any more. A pass that is under way ends as it would.</summary>
    public void Pause() => _isPaused = true;

    public void OnCommitted(ClusterState state, Batch batch)
    {
        if (sources.IsEmpty || batch.Jobs.Count == 0 && batch.Tasks.Count == 0 && batch.Workers.Count == 0 && batch.Vms.Count == 0)
        {
            return;
        }

        lock (_gate)
        {
            _changed.UnionWith(batch.Jobs.Keys);
            _changed.UnionWith(batch.Tasks.Values.Select(task => task.JobUid));
        }

        _signal.Set();
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (sources.IsEmpty)
        {
            return;
        }

        var planner = NewPlanner();
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await (_isPaused ? Task.CompletedTask : PassAsync(planner, cancellationToken));
            }
#pragma warning disable CA1031 // A pass that fails is logged and tried again: machines must not stop being asked for.
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                Log.PassFailed(logger, exception);
                planner = NewPlanner();
            }

            await Task.Delay(s_interval, time, cancellationToken);
            await _signal.WaitAsync(UntilDue(), time, cancellationToken);
        }
    }

    private VmPlanner NewPlanner() => new(loop.Current, new VmOffers(sources.All), NewId, Guid.NewGuid);

    private static VmId NewId(VmSource source) => VmId.Parse($"{source.NamePrefix}-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(RandomBytes))}");

    private async Task PassAsync(VmPlanner planner, CancellationToken cancellationToken)
    {
        HashSet<long> changed;
        lock (_gate)
        {
            (changed, _changed) = (_changed, []);
        }

        // Read after the changes were taken: a change that this state does not show comes again.
        var state = loop.Current;
        planner.Update(state, changed);
        var plan = planner.Plan(state, loop.Now().Time, links.Refuses);
        _nextDue = plan.NextDue;
        foreach (var wish in plan.Wishes)
        {
            Log.Asks(logger, wish.Id, wish.Traits.Text, wish.Backend);
        }

        await Task.WhenAll(plan.Inputs().Select(input => loop.ApplyAsync(input, cancellationToken)).ToArray());
    }

    private TimeSpan UntilDue()
    {
        var left = _nextDue == long.MaxValue ? s_longestPause : TimeSpan.FromMilliseconds(Math.Max(1, _nextDue - loop.Now().Time));
        return left < s_longestPause ? left : s_longestPause;
    }

    private static partial class Log
    {
        [LoggerMessage(160, LogLevel.Error, "A pass of the planner of machines failed; it is tried again")]
        public static partial void PassFailed(ILogger logger, Exception exception);

        [LoggerMessage(161, LogLevel.Information, "Jobs wait for room: machine {Vm}, {Shape} of {Backend}, is asked for")]
        public static partial void Asks(ILogger logger, VmId vm, string shape, string backend);
    }
}
