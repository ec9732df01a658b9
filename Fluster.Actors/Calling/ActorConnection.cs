namespace Fluster.Actors;

/// <summary>A way to one server: over a socket, or within this process.</summary>
internal abstract class ActorConnection : IDisposable
{
    /// <summary>How long a server whose endpoint is gone may still answer.</summary>
    protected static readonly TimeSpan Farewell = TimeSpan.FromSeconds(1);

    /// <summary>Whether calls can be given to it. Once false it stays so.</summary>
    public abstract bool IsUsable { get; }

    /// <summary>Makes the call. Ends as <see cref="CallEnd"/> says, and never throws.</summary>
    public abstract ValueTask<CallEnd> SendAsync(PendingCall call);

    /// <summary>Asks the server whether it is there.</summary>
    /// <exception cref="Fluster.Cluster.ClusterException">It is not.</exception>
    public abstract Task<bool> IsThereAsync(CancellationToken cancellationToken);

    /// <summary>Ends the call for its caller, and tells the server.</summary>
    public abstract void Cancel(PendingCall call, CallEnd end);

    /// <summary>Tells the sender of a stream's items that so many were read.</summary>
    public abstract void GiveCredit(PendingCall call, int items, int bytes);

    /// <summary>The endpoint is gone: its calls end now.</summary>
    public abstract void FailTarget(ActorTarget target);

    /// <summary>Closes it when its calls have ended.</summary>
    public abstract void Retire();

    public abstract void Dispose();
}
