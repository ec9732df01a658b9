namespace Fluster.Cluster;

/// <summary>Times and sizes as people say them.</summary>
internal static class Words
{
    /// <summary>The two largest units: 350 ms, 4.2 s, 3 min 5 s, 2 h 10 min, 5 d 3 h.</summary>
    public static string Time(TimeSpan time) => time switch
    {
        { Ticks: < 0 } => "0 s",
        { TotalSeconds: < 1 } => $"{time.TotalMilliseconds:0} ms",
        { TotalSeconds: < 10 } => $"{time.TotalSeconds:0.#} s",
        { TotalMinutes: < 1 } => $"{time.TotalSeconds:0} s",
        { TotalHours: < 1 } => $"{time.Minutes} min {time.Seconds} s",
        { TotalDays: < 1 } => $"{time.Hours} h {time.Minutes} min",
        _ => $"{(int)time.TotalDays} d {time.Hours} h",
    };

    /// <summary>At most one digit after the point: 1.5 GiB.</summary>
    public static string Size(long bytes)
    {
        var (value, unit) = ((double)bytes, 0);
        while (value >= 1024 && unit < 4)
        {
            (value, unit) = (value / 1024, unit + 1);
        }

        return $"{value:0.#} {((string[])["B", "KiB", "MiB", "GiB", "TiB"])[unit]}";
    }

    /// <summary>A state, and that it is about to end.</summary>
    public static string State(JobStatus status) => status.Stopping && !status.State.IsTerminal ? "Stopping" : status.State.ToString();
}
