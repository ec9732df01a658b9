using System.Globalization;

namespace Fluster.Cluster;

/// <summary>That the task's place is about to be taken away: the cloud takes the machine back, or other work needs it. What the task saves until then is not lost.</summary>
/// <param name="EndsAt">When the task is killed, by the clock of its machine.</param>
public sealed record PreemptionNotice(DateTimeOffset EndsAt)
{
    /// <summary>What is left until then; nothing when it is over.</summary>
    public TimeSpan TimeLeft => EndsAt - TimeProvider.System.GetUtcNow() is { Ticks: > 0 } left ? left : TimeSpan.Zero;

    /// <summary>Writes it where a job's process looks for it, whole or not at all.</summary>
    internal void Write(string path)
    {
        var draft = path + ".draft";
        File.WriteAllText(draft, EndsAt.ToString("O", CultureInfo.InvariantCulture));
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(draft, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        }

        File.Move(draft, path, overwrite: true);
    }

    /// <summary>Reads what <see cref="Write"/> wrote; null when there is none.</summary>
    internal static PreemptionNotice? Read(string path)
    {
        try
        {
            return DateTimeOffset.TryParse(File.ReadAllText(path), CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var endsAt) ? new PreemptionNotice(endsAt) : null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
