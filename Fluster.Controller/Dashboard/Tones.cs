namespace Fluster.Controller;

/// <summary>How a state looks: the words are the command line's, the colours say whether somebody has to care.</summary>
internal static class Tones
{
    private const string Ok = "tone-ok";
    private const string Bad = "tone-bad";
    private const string Run = "tone-run";
    private const string Wait = "tone-wait";
    private const string Off = "tone-off";

    public static string Of(string state) => state switch
    {
        "Succeeded" or "Alive" or "Ready" => Ok,
        "Failed" or "WorkerFailed" or "Unschedulable" or "Lost" => Bad,
        "Running" or "Building" or "Booting" or "Requested" => Run,
        "Pending" or "Stopping" or "Suspect" or "Draining" or "Quarantined" or "Releasing" => Wait,
        _ => Off,
    };

    /// <summary>The state of a job in one word, as the command line says it.</summary>
    public static string StateOf(V1.JobInfo job) => job.Stopping && !((JobState)job.State).IsTerminal ? "Stopping" : ((JobState)job.State).ToString();

    /// <summary>Why a job is where it is, in a line; null: there is nothing to say.</summary>
    public static string? WhyOf(V1.JobInfo job) => job.Failure?.Message is { Length: > 0 } failure ? failure : job.PendingReason.Length > 0 ? job.PendingReason : null;

    /// <summary>How long something has run; null: it has not begun.</summary>
    public static TimeSpan? RanOf(Google.Protobuf.WellKnownTypes.Timestamp? started, Google.Protobuf.WellKnownTypes.Timestamp? ended, DateTimeOffset now) =>
        started is null ? null : (ended?.ToDateTimeOffset() ?? now) - started.ToDateTimeOffset();

    public static string JobUrl(string id) => "/job?id=" + Uri.EscapeDataString(id);
}
