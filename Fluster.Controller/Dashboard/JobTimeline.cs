namespace Fluster.Controller;

/// <summary>A piece of a line of a timeline.</summary>
/// <param name="Label">What it is, for people.</param>
/// <param name="Tone">Its colour.</param>
/// <param name="From">Where it begins, in thousandths of the whole.</param>
/// <param name="Width">Its share of the whole, in thousandths.</param>
internal sealed record TimelineBar(string Label, string Tone, double From, double Width);

/// <param name="Name">Task and attempt.</param>
/// <param name="Detail">Where it ran.</param>
/// <param name="Bars">Waiting, starting, running.</param>
/// <param name="Took">From the placement to the end.</param>
internal sealed record TimelineLine(string Name, string Detail, IReadOnlyList<TimelineBar> Bars, TimeSpan? Took);

/// <summary>When each attempt of a job waited, was started and ran, on one scale.</summary>
internal sealed record JobTimeline(TimeSpan Length, IReadOnlyList<TimelineLine> Lines, int Hidden)
{
    private const int MostLines = 60;
    private const double Scale = 1000;

    /// <summary>A piece is seen, however short.</summary>
    private const double Narrowest = 2;

    public static JobTimeline Of(V1.JobInfo job, DateTimeOffset now)
    {
        var begin = job.CreatedAt.ToDateTimeOffset();
        var end = job.EndedAt?.ToDateTimeOffset() ?? now;
        var length = end > begin ? end - begin : TimeSpan.FromMilliseconds(1);
        var lines = new List<TimelineLine>();
        var hidden = 0;
        foreach (var task in job.Tasks)
        {
            var waitsFrom = begin;
            foreach (var (number, attempt) in task.Attempts.Index())
            {
                var placed = attempt.PlacedAt?.ToDateTimeOffset() ?? begin;
                var ended = attempt.EndedAt?.ToDateTimeOffset();
                var started = attempt.StartedAt?.ToDateTimeOffset();
                if (lines.Count < MostLines)
                {
                    var bars = new List<TimelineBar> { Bar("waited", "tone-off", waitsFrom, placed), Bar("starting", "tone-wait", placed, started ?? ended ?? end) };
                    if (started is { } from)
                    {
                        var state = ((JobState)attempt.State).ToString();
                        bars.Add(Bar(state, Tones.Of(state), from, ended ?? end));
                    }

                    lines.Add(new TimelineLine($"Task {task.Index}, attempt {number + 1}", attempt.WorkerId, [.. bars.Where(bar => bar.Width > 0)], (ended ?? end) - placed));
                }
                else
                {
                    hidden++;
                }

                waitsFrom = ended ?? end;
            }

            if (task.Attempts.Count == 0 && lines.Count < MostLines && job.State is V1.JobState.Pending)
            {
                lines.Add(new TimelineLine($"Task {task.Index}", "waits", [Bar("waits", "tone-off", begin, end)], null));
            }
        }

        return new JobTimeline(length, lines, hidden);

        TimelineBar Bar(string label, string tone, DateTimeOffset from, DateTimeOffset to)
        {
            var at = Math.Clamp((from - begin) / length * Scale, 0, Scale - Narrowest);
            var width = to <= from ? 0 : Math.Clamp((to - from) / length * Scale, Narrowest, Scale - at);
            return new TimelineBar($"{label} {Words.Time(to - from)}", tone, Math.Round(at, 1), Math.Round(width, 1));
        }
    }
}
