namespace Fluster.Controller;

/// <summary>The last lines of attempts of which no worker could tell them: from what arrived of their logs.</summary>
internal sealed class LastLines(LogStore logs)
{
    private const int MostLines = 20;
    private const int MostLine = 2 << 10;

    /// <summary>A failure with the lines that an attempt wrote last, where it has none.</summary>
    public JobFailure Complete(JobFailure failure, Fence fence) =>
        failure.LastLines.Count == 0 && failure.Kind is FailureKind.WorkerLost or FailureKind.Timeout ? failure with { LastLines = Of(fence) } : failure;

    private IReadOnlyList<string> Of(Fence fence)
    {
        using var lease = logs.OpenIfExists(fence);
        if (lease is null)
        {
            return [];
        }

        var lines = new List<string>();
        var reader = new LogLineReader();
        var (sequence, skip) = lease.Log.Tail(MostLines);
        for (var count = lease.Log.Count; sequence < count; sequence++)
        {
            if (lease.Log.Read(sequence) is { } chunk)
            {
                lines.AddRange(reader.Read(chunk).Select(line => line.Text.Length <= MostLine ? line.Text : line.Text[..MostLine]));
            }
        }

        return [.. lines.Skip(skip).TakeLast(MostLines)];
    }
}
