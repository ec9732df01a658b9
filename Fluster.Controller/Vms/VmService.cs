namespace Fluster.Controller;

/// <summary>
/// Does what the records of machines ask for. An effect only says that there may be something to do for a machine: what that is, its record says when its turn comes,
/// so nothing is done twice at a time or out of order, and a result is one more input. The loop never waits for any of it.
/// </summary>
internal sealed partial class VmService(ClusterLoop loop, VmSources sources, VmRequests requests, TimeProvider time, ILogger<VmService> logger) : IDisposable
{
    /// <summary>Calls to one backend at a time.</summary>
    public const int MostAtOnce = 16;

    private static readonly TimeSpan s_firstPause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromMinutes(2);

    private readonly Lock _gate = new();
    private readonly Dictionary<long, bool> _working = []; // by uid: whether there is something new to look at
    private readonly Dictionary<string, SemaphoreSlim> _turns = sources.All.ToDictionary(source => source.Name, _ => new SemaphoreSlim(MostAtOnce), StringComparer.Ordinal);
    private readonly CancellationTokenSource _stopping = new();

    /// <summary>There may be something to do for a machine. Never waits.</summary>
    public void LookAt(long vmUid)
    {
        lock (_gate)
        {
            var busy = _working.ContainsKey(vmUid);
            _working[vmUid] = true;
            if (busy || _stopping.IsCancellationRequested)
            {
                return;
            }
        }

        _ = Detached.Run(() => WorkAsync(vmUid, _stopping.Token));
    }

    /// <summary>Nothing new is begun. What is under way at a backend goes on there, and the next start of the controller asks again.</summary>
    public void Stop() => _stopping.Cancel();

    public void Dispose() => _stopping.Cancel(); // not disposed: what is just ending still looks at it

    private async Task WorkAsync(long uid, CancellationToken cancellationToken)
    {
        var pause = TimeSpan.Zero;
        while (MoreToDo(uid))
        {
            try
            {
                pause = await NextAsync(uid, cancellationToken) ? TimeSpan.Zero : Longer(pause);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // Whatever it is, the machine is still owed what its record says.
            catch (Exception exception)
#pragma warning restore CA1031
            {
                Log.Failed(logger, uid, exception);
                pause = Longer(pause);
            }

            if (pause > TimeSpan.Zero)
            {
                lock (_gate)
                {
                    _working[uid] = true;
                }

                try
                {
                    await Task.Delay(pause, time, cancellationToken);
                }
                catch (OperationCanceledException)
                {
                    return;
                }
            }
        }
    }

    /// <summary>Whether somebody said that there is something to do since this was last asked; if not, the work on the machine ends here.</summary>
    private bool MoreToDo(long uid)
    {
        lock (_gate)
        {
            if (_working[uid])
            {
                _working[uid] = false;
                return true;
            }

            _working.Remove(uid);
            return false;
        }
    }

    /// <returns>Whether it came to something.</returns>
    private async Task<bool> NextAsync(long uid, CancellationToken cancellationToken)
    {
        if (loop.Current.Vms.Find(uid) is not { } waiting || sources.Find(waiting.Backend) is not { } source)
        {
            return true; // without its backend nobody can do anything: said by 'vm list'
        }

        using var turn = await TurnAsync(source, cancellationToken);
        if (loop.Current.Vms.Find(uid) is not { } vm)
        {
            return true;
        }

        switch (vm.State)
        {
            case VmState.Requested:
                var failure = await CreateAsync(source, vm, cancellationToken);
                await loop.ApplyAsync(new ClusterInput.VmCreateEnded(uid, failure), cancellationToken);
                return true;
            case VmState.Releasing:
                if (!await ReleaseAsync(source, vm, cancellationToken))
                {
                    return false;
                }

                await loop.ApplyAsync(new ClusterInput.VmReleaseEnded(uid), cancellationToken);
                return true;
            default:
                return true;
        }
    }

    private async Task<VmFailure?> CreateAsync(VmSource source, VmRecord vm, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(source.Backend.BootTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            await source.Backend.AllocateAsync(await requests.OfAsync(source, vm, cancellationToken), either.Token);
            Log.Accepted(logger, vm.Id, vm.Backend, vm.Traits.Text);
            return null;
        }
        catch (VmException exception)
        {
            Log.Refused(logger, vm.Id, vm.Backend, vm.Traits.Text, exception.Kind, exception.Message);
            return new VmFailure(exception.Kind, exception.Message, exception.Scope, (long)(exception.RetryAfter?.TotalMilliseconds ?? 0));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new VmFailure(VmFailureKind.Transient, $"{vm.Backend} did not answer the request for {vm.Id} within {source.Backend.BootTimeout.TotalSeconds:0} s");
        }
#pragma warning disable CA1031 // A backend that throws something else has not made a machine either, and says nothing better than this.
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            Log.Failed(logger, vm.Uid, exception);
            return new VmFailure(VmFailureKind.Unknown, exception.Message);
        }
    }

    private async Task<bool> ReleaseAsync(VmSource source, VmRecord vm, CancellationToken cancellationToken)
    {
        try
        {
            await source.Backend.ReleaseAsync(vm.Id, vm.Traits.Zone, cancellationToken);
            Log.Released(logger, vm.Id, vm.Backend, vm.Reason);
            return true;
        }
        catch (VmException exception)
        {
            Log.NotReleased(logger, vm.Id, vm.Backend, exception.Message);
            return false;
        }
    }

    private async Task<IDisposable> TurnAsync(VmSource source, CancellationToken cancellationToken)
    {
        var turns = _turns[source.Name];
        await turns.WaitAsync(cancellationToken);
        return new Turn(turns);
    }

    private static TimeSpan Longer(TimeSpan pause) => pause == TimeSpan.Zero ? s_firstPause : pause * 2 < s_longestPause ? pause * 2 : s_longestPause;

    private sealed class Turn(SemaphoreSlim turns) : IDisposable
    {
        public void Dispose() => turns.Release();
    }

    private static partial class Log
    {
        [LoggerMessage(162, LogLevel.Information, "Machine {Vm} of {Backend} is being made: {Shape}")]
        public static partial void Accepted(ILogger logger, VmId vm, string backend, string shape);

        [LoggerMessage(163, LogLevel.Warning, "Machine {Vm} of {Backend} ({Shape}) was not made: {Kind}: {Why}")]
        public static partial void Refused(ILogger logger, VmId vm, string backend, string shape, VmFailureKind kind, string why);

        [LoggerMessage(164, LogLevel.Information, "Machine {Vm} of {Backend} is gone: {Why}")]
        public static partial void Released(ILogger logger, VmId vm, string backend, string why);

        [LoggerMessage(165, LogLevel.Warning, "Machine {Vm} of {Backend} could not be removed; it is tried again: {Why}")]
        public static partial void NotReleased(ILogger logger, VmId vm, string backend, string why);

        [LoggerMessage(166, LogLevel.Error, "What machine {VmUid} needs could not be done; it is tried again")]
        public static partial void Failed(ILogger logger, long vmUid, Exception exception);
    }
}
