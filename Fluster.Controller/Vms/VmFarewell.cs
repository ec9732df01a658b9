namespace Fluster.Controller;

/// <summary>A machine that is there after all were to go.</summary>
/// <param name="Backend">Whose it is.</param>
/// <param name="Name">Its name; empty where the backend does not say what it has.</param>
/// <param name="Zone">Where it is; empty where backends have no zones.</param>
/// <param name="Why">What a person should read.</param>
internal sealed record LeftVm(string Backend, string Name, string Zone, string Why);

/// <summary>The end of a cluster that does not come back: no new machines, then no jobs, then no machines.</summary>
internal sealed class VmFarewell(ClusterLoop loop, VmSources sources, VmPlannerService planner, ShutdownSignal shutdown, ControllerRuntime runtime, RuntimeListeners listeners, TimeProvider time)
{
    private const string Reason = "the cluster stops";

    /// <summary>What the backends are asked at the end takes at least so long, however late it is.</summary>
    private static readonly TimeSpan s_leastForLists = TimeSpan.FromSeconds(10);

    /// <summary>Removes all machines of all backends, also those that are still being made and those that nobody remembers.</summary>
    /// <param name="patience">How long that may take, beside what killed jobs have to end by themselves.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>What is there all the same.</returns>
    public async Task<IReadOnlyList<LeftVm>> ReleaseAllAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        shutdown.RefuseSubmits();
        planner.Pause();
        await runtime.KillJobsAsync(cancellationToken);
        var started = time.GetTimestamp();
        while (true)
        {
            var committed = listeners.Committed.Next;

            // A pass of the planner that was under way may still have asked for some.
            foreach (var vm in loop.Current.Vms.Ascending().Where(vm => vm.IsWanted).ToList())
            {
                await loop.ApplyAsync(new ClusterInput.CondemnVm(vm.Uid, Reason), cancellationToken);
            }

            var left = patience - time.GetElapsedTime(started);
            if (left <= TimeSpan.Zero || !loop.Current.Vms.Ascending().Any())
            {
                break;
            }

            await Task.WhenAny(committed, Task.Delay(left, time, cancellationToken));
        }

        var remaining = patience - time.GetElapsedTime(started);
        return await LookAsync(remaining > s_leastForLists ? remaining : s_leastForLists, cancellationToken);
    }

    /// <summary>What the records say, and what the backends say: a create that was never answered may have made something.</summary>
    private async Task<IReadOnlyList<LeftVm>> LookAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        var left = loop.Current.Vms.Ascending().Select(vm => new LeftVm(vm.Backend, vm.Id.ToString(), vm.Traits.Zone, "its removal is not done")).ToList();
        foreach (var source in sources.All)
        {
            try
            {
                var listing = await source.Backend.ListAsync(either.Token);
                foreach (var vm in listing.Vms.Where(vm => !left.Exists(known => known.Backend == source.Name && known.Name == vm.Id.ToString())))
                {
                    await source.Backend.ReleaseAsync(vm.Id, vm.Zone, either.Token);
                }

                if (!listing.IsComplete)
                {
                    left.Add(new LeftVm(source.Name, "", "", "it does not list all of its machines now"));
                }
            }
            catch (VmException exception)
            {
                left.Add(new LeftVm(source.Name, "", "", exception.Message));
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                left.Add(new LeftVm(source.Name, "", "", $"it did not answer within {patience.TotalSeconds:0} s"));
            }
        }

        return left;
    }
}
