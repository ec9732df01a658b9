namespace Fluster.Controller;

/// <summary>Cluster time: goes on from the last committed one with the monotonic clock, whatever happens to the wall clock.</summary>
internal sealed class ClusterClock(TimeProvider time, long startAt)
{
    private readonly long _started = time.GetTimestamp();

    public ClusterNow Now() =>
        new(startAt + (long)time.GetElapsedTime(_started).TotalMilliseconds, time.GetUtcNow().ToUnixTimeMilliseconds());
}
