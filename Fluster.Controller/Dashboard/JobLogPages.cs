using System.Text.Json.Serialization;
using Grpc.Core;

namespace Fluster.Controller;

/// <summary>A piece of a job's log as the page's script reads it.</summary>
/// <param name="Cursor">Where the next piece begins.</param>
/// <param name="More">There is more now: ask again at once.</param>
/// <param name="Ended">The job has ended: what is still to come, if anything, is not much.</param>
/// <param name="Lines">In the order in which they came.</param>
internal sealed record LogPiece(string Cursor, bool More, bool Ended, IReadOnlyList<LogPieceLine> Lines);

/// <param name="Task">Which task wrote it.</param>
/// <param name="Time">When its worker read it; null where lines are missing.</param>
/// <param name="Kind">"stdout", "stderr", "build", or "gap" where lines are missing.</param>
/// <param name="Text">The line.</param>
internal sealed record LogPieceLine(int Task, string? Time, string Kind, string Text);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(LogPiece))]
internal sealed partial class LogPieceJson : JsonSerializerContext;

/// <summary>The log of a job, piece by piece: the newest lines first, then what comes; or all lines that have a text in them, from the beginning.</summary>
internal sealed class JobLogPages(ClusterLoop loop, LogStore logs, LogCalls calls, JobWatches watches, TimeProvider time)
{
    /// <summary>Lines from before that are shown at first.</summary>
    private const int Tail = 500;

    private const int MostLines = 1_000;

    /// <summary>Looked through for one answer; a search in more goes on with the next one.</summary>
    private const long MostBytes = 16 << 20;

    private const int LongestSearch = 200;

    /// <summary>More of a line is not shown: the command line has all of it.</summary>
    private const int LongestLine = 4_000;

    public async Task<IResult> ReadAsync(PageContext page, string id, string? cursor, string? search, int? task, string? stream, CancellationToken cancellationToken)
    {
        var job = JobLookup.Find(loop, page.Caller!, id);
        if (!LogCursor.TryParse(cursor ?? "", out var at))
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, "The cursor is not one that this controller gave out."));
        }

        if (task is < 0 || task >= job.Terms.Replicas)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"Job '{job.Id}' has no task {task}: its tasks are 0 to {job.Terms.Replicas - 1}."));
        }

        var wanted = search is null ? "" : search[..Math.Min(search.Length, LongestSearch)];
        var ended = loop.Current.Jobs.Find(job.Uid) is not { IsLive: true };
        var lines = new List<LogPieceLine>();
        var (bytes, more) = (0L, false);
        using var watch = watches.Open(job.Uid);
        using var reader = new JobLogReader(logs, () => calls.ViewOf(job.Uid, task), watch.Changed, time);
        var decoder = new LogLineReader();
        await foreach (var chunks in reader.ReadAsync(at, follow: false, wanted.Length == 0 ? Tail : 0, cancellationToken))
        {
            foreach (var chunk in chunks)
            {
                bytes += chunk.Data.Length;
                lines.AddRange(decoder.Read(chunk).Where(line => IsWanted(line, wanted, stream)).Select(ToPiece));
            }

            more = lines.Count >= MostLines || bytes >= MostBytes;
            if (more)
            {
                break;
            }
        }

        return Results.Json(new LogPiece(at.ToString(), more, ended, lines), LogPieceJson.Default.LogPiece);
    }

    private static bool IsWanted(JobLogLine line, string search, string? stream) =>
        (string.IsNullOrEmpty(stream) || KindOf(line) == stream) && (search.Length == 0 || line.Text.Contains(search, StringComparison.OrdinalIgnoreCase));

    private static LogPieceLine ToPiece(JobLogLine line) => new(
        line.TaskIndex,
        line.Time == default ? null : line.Time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ"),
        KindOf(line),
        line.Text.Length <= LongestLine ? line.Text : line.Text[..LongestLine] + " …");

    private static string KindOf(JobLogLine line) => line.Time == default ? "gap" : line.Stream switch
    {
        JobLogStream.Stderr => "stderr",
        JobLogStream.Build => "build",
        _ => "stdout",
    };
}
