namespace Fluster.Tests;

/// <summary>Something that runs, can be paused, and can die: a process.</summary>
internal abstract class SimulatedActor
{
    /// <summary>Grows when it dies: what an earlier life had under way never happens.</summary>
    public int Life { get; private set; }

    /// <summary>Stopped like with SIGSTOP: what happens to it waits until then.</summary>
    public long PausedUntil { get; private set; }

    /// <summary>A pause is never made shorter: what waits for its end would come out of order.</summary>
    public void Pause(long until) => PausedUntil = Math.Max(PausedUntil, until);

    protected void EndLife()
    {
        Life++;
        PausedUntil = 0;
    }
}

/// <summary>The process of the controller died here, in the middle of what it was doing.</summary>
internal sealed class SimulatedCrashException : Exception;

/// <summary>Something that must never happen has happened.</summary>
internal sealed class InvariantViolatedException(string message) : Exception(message);
