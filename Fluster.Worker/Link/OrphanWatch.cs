namespace Fluster.Worker;

/// <summary>
/// Counts how long the worker has been without its controller. A controller that it refuses is none, and so is one that does not let it in.
/// </summary>
/// <param name="timeout">After which it is an orphan; null: never.</param>
/// <param name="time">The clock.</param>
internal sealed class OrphanWatch(TimeSpan? timeout, TimeProvider time)
{
    private readonly Lock _gate = new();
    private long _lastHeard = time.GetTimestamp();
    private bool _linked;

    /// <summary>Whether the worker is on its own for so long that nobody will come back for it.</summary>
    public bool IsOrphan
    {
        get
        {
            lock (_gate)
            {
                return !_linked && time.GetElapsedTime(_lastHeard) >= timeout;
            }
        }
    }

    /// <summary>The controller has let the worker in.</summary>
    public void Linked()
    {
        lock (_gate)
        {
            _linked = true;
        }
    }

    /// <summary>The link has ended.</summary>
    /// <param name="refused">The worker ended it, because what answered was not its controller.</param>
    public void Unlinked(bool refused)
    {
        lock (_gate)
        {
            _lastHeard = _linked && !refused ? time.GetTimestamp() : _lastHeard;
            _linked = false;
        }
    }
}
