using Microsoft.Extensions.Options;

namespace Fluster.Controller;

/// <summary>Starts what runs behind the RPCs before they are served, and stops it after the jobs have been seen to.</summary>
internal sealed partial class ControllerRuntime(
    ClusterLoop loop,
    SchedulerService scheduler,
    EndpointProjection projection,
    ShutdownSignal shutdown,
    WorkerLinks links,
    JobWatches watches,
    RuntimeListeners listeners,
    VmPlannerService machines,
    VmService vms,
    VmWatch vmWatch,
    IOptions<ControllerOptions> options,
    TimeProvider time,
    ILogger<ControllerRuntime> logger) : IHostedLifecycleService, IDisposable
{
    private static readonly TimeSpan s_owedInterval = TimeSpan.FromSeconds(10);

    /// <summary>How long a shutdown waits for the jobs that it kills: their grace is 5 s.</summary>
    private static readonly TimeSpan s_longestKill = TimeSpan.FromSeconds(8);

    /// <summary>With no worker connected, nobody can say that a job has ended; one may be just coming back.</summary>
    private static readonly TimeSpan s_longestKillWithoutWorkers = TimeSpan.FromSeconds(1);

    /// <summary>How long it then waits for those who watch jobs or read logs to have been told the end.</summary>
    private static readonly TimeSpan s_longestFarewell = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _stopping = new();
    private Task _running = Task.CompletedTask;

    public Task StartingAsync(CancellationToken cancellationToken)
    {
        links.Changed = scheduler.WorkersChanged;
        links.IsTrusted = uid => loop.Current.Workers.Find(uid) is not { } worker || worker.QuarantinedUntil <= loop.Now().Time;
        loop.Start(StartEffect, [.. listeners.All]);
        var state = loop.Current;
        Log.Started(logger, state.Meta.ClusterId, state.Meta.Epoch, state.Jobs.Count, state.Workers.Count);
        _running = Task.WhenAll(
            Detached.Run(() => scheduler.RunAsync(_stopping.Token)),
            Detached.Run(() => projection.RunAsync(_stopping.Token)),
            Detached.Run(() => machines.RunAsync(_stopping.Token)),
            Detached.Run(() => vmWatch.RunAsync(_stopping.Token)),
            Detached.Run(() => DoOwedAsync(_stopping.Token)));
        return Task.CompletedTask;
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        shutdown.RefuseSubmits();
        if (options.Value.KillJobsOnShutdown)
        {
            await KillJobsAsync(cancellationToken);
            await TellWatchersAsync(cancellationToken);
        }

        shutdown.EndStreams();
        links.CloseAll();
    }

    public async Task StoppedAsync(CancellationToken cancellationToken)
    {
        vms.Stop();
        await _stopping.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public void Dispose() => _stopping.Dispose();

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void StartEffect(ClusterEffect effect)
    {
        switch (effect)
        {
            case ClusterEffect.UpdateWorker update:
                links.Update(update.WorkerUid);
                break;
            case ClusterEffect.CreateVm create:
                vms.LookAt(create.VmUid);
                break;
            case ClusterEffect.ReleaseVm release:
                vms.LookAt(release.VmUid);
                break;
        }
    }

    /// <summary>Computes what the state still needs, whatever was started before, and starts it.</summary>
    private async Task DoOwedAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            foreach (var effect in OwedEffects.Of(loop.Current))
            {
                if (effect is ClusterEffect.GoOn goOn)
                {
                    await loop.PostAsync(goOn.Input, cancellationToken);
                }
                else
                {
                    StartEffect(effect);
                }
            }

            scheduler.WorkersChanged(); // what time alone has changed, such as the end of a quarantine, is seen now at the latest
            await Task.Delay(s_owedInterval, time, cancellationToken);
        }
    }

    /// <summary>Kills all jobs and waits, not for ever, until they have ended.</summary>
    public async Task KillJobsAsync(CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        await loop.ApplyAsync(new ClusterInput.StopAll(KillCause.Shutdown), cancellationToken);
        while (true)
        {
            var committed = listeners.Committed.Next;
            var live = loop.Current.Jobs.Ascending().Count(job => job.IsLive);
            if (live == 0)
            {
                return;
            }

            var longest = links.Count == 0 ? s_longestKillWithoutWorkers : s_longestKill;
            var left = longest - time.GetElapsedTime(started);
            if (left <= TimeSpan.Zero)
            {
                Log.StillLive(logger, live);
                return;
            }

            await Task.WhenAny(committed, Task.Delay(left, time, cancellationToken));
        }
    }

    /// <summary>Their calls end by themselves once they know how their jobs ended. Cut off before, they would wait for a controller that does not come back.</summary>
    private async Task TellWatchersAsync(CancellationToken cancellationToken)
    {
        var late = Task.Delay(s_longestFarewell, time, cancellationToken);
        while (!late.IsCompleted)
        {
            var closed = watches.Closed.Next;
            if (!watches.Any)
            {
                return;
            }

            await Task.WhenAny(closed, late);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(130, LogLevel.Information, "Cluster {ClusterId}, epoch {Epoch}: {Jobs} jobs and {Workers} workers are known")]
        public static partial void Started(ILogger logger, string clusterId, long epoch, long jobs, long workers);

        [LoggerMessage(131, LogLevel.Warning, "{Jobs} jobs were still live when the shutdown went on; they are marked to be killed")]
        public static partial void StillLive(ILogger logger, int jobs);
    }
}

/// <summary>Tells the RPCs that the controller stops.</summary>
internal sealed class ShutdownSignal : IDisposable
{
    private readonly CancellationTokenSource _streams = new();

    public bool RefusesSubmits { get; private set; }

    /// <summary>Ends the calls that would otherwise go on for as long as their client likes.</summary>
    public CancellationToken StreamsEnd => _streams.Token;

    public void RefuseSubmits() => RefusesSubmits = true;

    public void EndStreams() => _streams.Cancel();

    public void Dispose() => _streams.Dispose();
}

/// <summary>Everything that sees each commit.</summary>
internal sealed class RuntimeListeners(
    SchedulerService scheduler, JobWatches watches, EndpointProjection projection, EndpointFeed feed, ActionLog actions, VmPlannerService machines, JobTracer tracer, UtilisationSeries utilisation) : ICommitListener
{
    /// <summary>Fires at every commit.</summary>
    public Pulse Committed { get; } = new();

    /// <summary>In this order: who is told that a job has ended finds its spans.</summary>
    public IEnumerable<ICommitListener> All => [tracer, scheduler, watches, projection, feed, actions, machines, utilisation, this];

    public void OnCommitted(ClusterState state, Batch batch) => Committed.Fire();
}
