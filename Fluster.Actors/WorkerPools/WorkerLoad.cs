namespace Fluster.Actors;

/// <summary>What one worker of a pool has, and how much it may be given.</summary>
internal sealed class WorkerLoad
{
    private TimeSpan _average;

    /// <summary>Items that it is to get, and that nobody has sent yet.</summary>
    public Queue<WorkItem> Outbox { get; } = new();

    /// <summary>Items that were sent and have no result, by the number under which they were; the lowest one is run first.</summary>
    public Dictionary<long, WorkItem> Sent { get; } = [];

    public int Count => Outbox.Count + Sent.Count;

    /// <summary>How many items it may have at a time: one runs, the others are there when it has ended.</summary>
    public int Window { get; set; } = 1;

    /// <summary>It has an item that is to run alone.</summary>
    public bool IsAlone { get; set; }

    /// <summary>When something last went forward here, by the clock's timestamps.</summary>
    public long LastProgress { get; set; }

    /// <summary>
    /// Takes in how long items took. The window is as many of them as run within <paramref name="reach"/>: a slow item holds none up, and between
    /// quick ones the worker does not wait for the next to travel. It at most doubles, and shrinks at once.
    /// </summary>
    public void Learn(int count, TimeSpan busy, TimeSpan reach, int most)
    {
        if (count == 0)
        {
            return;
        }

        var latest = busy / count;
        _average = latest > _average ? latest : (_average * 3 + latest) / 4;
        var fitting = _average <= TimeSpan.Zero ? most : (int)Math.Min(most, reach / _average);
        Window = Math.Clamp(fitting, 1, Math.Min(most, Window * 2));
    }
}
