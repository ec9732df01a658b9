namespace Fluster.Controller;

/// <summary>What a browser sees for now: the cluster in a few lines.</summary>
internal static class StatusPage
{
    public static string Text(V1.GetClusterStatusResponse status) =>
        $"""
        Fluster {status.Version}
        cluster   {status.ClusterId}, epoch {status.Epoch}
        up        {status.Uptime.ToTimeSpan():d\.hh\:mm\:ss}
        workers   {status.Workers}{(status.MassSilence ? ", most of them silent: none is given up for now" : "")}
        endpoints in {status.Registry}
        jobs      {(status.JobsByState.Count == 0 ? "none" : string.Join(", ", status.JobsByState.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"{pair.Value} {pair.Key}")))}

        """;
}
