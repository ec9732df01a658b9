using Microsoft.Extensions.Options;

namespace Fluster.Controller;

/// <summary>Asks the backends what became of machines that boot or are silent, and removes those that nobody remembers.</summary>
internal sealed partial class VmWatch(ClusterLoop loop, VmSources sources, WorkerAdmission admission, IOptions<ControllerOptions> options, TimeProvider time, ILogger<VmWatch> logger)
{
    /// <summary>While no machine is in doubt, a list is asked for only so often.</summary>
    private const int QuietRounds = 4;

    private readonly HashSet<long> _missed = [];

    public Task RunAsync(CancellationToken cancellationToken) => Task.WhenAll(sources.All.Select(source => WatchAsync(source, cancellationToken)));

    private async Task WatchAsync(VmSource source, CancellationToken cancellationToken)
    {
        var orphans = new OrphanRule();
        for (var round = 0; ; round++)
        {
            await Task.Delay(options.Value.VmWatchInterval, time, cancellationToken);
            try
            {
                await RoundAsync(source, orphans, round % QuietRounds == 0, cancellationToken);
            }
            catch (Exception exception) when (exception is VmException or ClusterRejectedException)
            {
                Log.NoWord(logger, source.Name, exception.Message);
            }
#pragma warning disable CA1031 // It is asked again.
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                Log.Failed(logger, source.Name, exception);
            }
        }
    }

    /// <summary>One look at one backend.</summary>
    public async Task RoundAsync(VmSource source, OrphanRule orphans, bool always, CancellationToken cancellationToken)
    {
        var state = loop.Current; // before the list is asked for: what is recorded since does not count as forgotten
        var askedAt = loop.Now().Time;
        var mine = state.Vms.Ascending().Where(vm => vm.Backend == source.Name).ToList();
        if (!always && !mine.Exists(vm => VmFindings.IsInDoubt(state, vm)))
        {
            return;
        }

        var listing = await source.Backend.ListAsync(cancellationToken);
        var listed = listing.Vms.GroupBy(vm => vm.Id).ToDictionary(group => group.Key, group => group.First());
        foreach (var vm in mine.Where(vm => vm.IsWanted))
        {
            await CheckAsync(source, vm, listed.GetValueOrDefault(vm.Id), VmFindings.IsInDoubt(state, vm), cancellationToken);
        }

        var known = mine.Select(vm => vm.Id).ToHashSet();
        foreach (var orphan in orphans.Find(listing, known.Contains, askedAt))
        {
            await RemoveAsync(source, orphan, cancellationToken);
        }
    }

    private async Task CheckAsync(VmSource source, VmRecord vm, VmInfo? info, bool inDoubt, CancellationToken cancellationToken)
    {
        if (info is null)
        {
            if (!inDoubt)
            {
                return;
            }

            // A list may be incomplete, or late.
            info = await source.Backend.GetAsync(vm.Id, vm.Traits.Zone, cancellationToken);
        }

        bool missedBefore;
        lock (_missed)
        {
            missedBefore = info is null ? !_missed.Add(vm.Uid) : _missed.Remove(vm.Uid) && false;
        }

        if (VmFindings.Of(vm, info, missedBefore) is { } condemned)
        {
            Log.Condemned(logger, vm.Id, source.Name, condemned.Reason);
            await loop.ApplyAsync(condemned, cancellationToken);
            lock (_missed)
            {
                _missed.Remove(vm.Uid);
            }
        }
    }

    private async Task RemoveAsync(VmSource source, VmInfo orphan, CancellationToken cancellationToken)
    {
        // Its workers know a later state of this cluster than this one: it is this controller that has forgotten, and an operator decides.
        var name = orphan.Id.ToString();
        if (admission.Refused().Any(worker => worker.Worker.ToString() is var id && (id == name || id.StartsWith(name + "-", StringComparison.Ordinal))))
        {
            return;
        }

        Log.Orphan(logger, orphan.Id, source.Name);
        await source.Backend.ReleaseAsync(orphan.Id, orphan.Zone, cancellationToken);
    }

    private static partial class Log
    {
        [LoggerMessage(167, LogLevel.Warning, "Backend {Backend} cannot say what machines it has: {Why}")]
        public static partial void NoWord(ILogger logger, string backend, string why);

        [LoggerMessage(168, LogLevel.Error, "Looking at the machines of backend {Backend} failed")]
        public static partial void Failed(ILogger logger, string backend, Exception exception);

        [LoggerMessage(169, LogLevel.Warning, "Machine {Vm} of {Backend} is given up: {Why}")]
        public static partial void Condemned(ILogger logger, VmId vm, string backend, string why);

        [LoggerMessage(170, LogLevel.Warning, "Nobody remembers machine {Vm} of {Backend}: it is removed")]
        public static partial void Orphan(ILogger logger, VmId vm, string backend);
    }
}
