namespace Fluster.Controller;

/// <summary>A line of the waterfall of a trace.</summary>
/// <param name="Span">What was done.</param>
/// <param name="Depth">How far it is below the first one.</param>
/// <param name="From">Where it begins, in thousandths of the whole.</param>
/// <param name="Width">Its share of the whole, in thousandths.</param>
/// <param name="Took">How long it took; so far, if it goes on.</param>
internal sealed record TraceLine(V1.Span Span, int Depth, double From, double Width, TimeSpan Took)
{
    public bool GoesOn => Span.End is null;

    public string Tone => Span.Status == V1.SpanStatus.Error ? "tone-bad" : GoesOn ? "tone-run" : Span.Source switch
    {
        "Fluster.Client" or "Fluster.Controller" => "tone-off",
        "Fluster.Worker" => "tone-wait",
        "Fluster.Job" => "tone-ok",
        _ => "tone-run",
    };
}

/// <summary>The trace of a job as a waterfall: each span below its parent, all on one scale.</summary>
internal sealed record TraceView(string TraceId, bool Sampled, TimeSpan Length, IReadOnlyList<TraceLine> Lines, long Hidden)
{
    private const int MostLines = 400;
    private const int DeepestLine = 5;
    private const double Scale = 1000;
    private const double Narrowest = 1.5;

    public static TraceView Of(V1.GetJobTraceResponse trace, DateTimeOffset now)
    {
        if (trace.Spans.Count == 0)
        {
            return new TraceView(trace.TraceId, trace.Sampled, TimeSpan.Zero, [], 0);
        }

        var begin = trace.Spans.Min(span => span.Start.ToDateTimeOffset());
        var end = trace.Spans.Max(span => span.End?.ToDateTimeOffset() ?? now);
        var length = end > begin ? end - begin : TimeSpan.FromMilliseconds(1);
        var lines = Tree(trace.Spans).Take(MostLines).Select(entry =>
        {
            var (from, to) = (entry.Span.Start.ToDateTimeOffset(), entry.Span.End?.ToDateTimeOffset() ?? now);
            var at = Math.Clamp((from - begin) / length * Scale, 0, Scale - Narrowest);
            var width = Math.Clamp((to - from) / length * Scale, Narrowest, Scale - at);
            return new TraceLine(entry.Span, Math.Min(entry.Depth, DeepestLine), Math.Round(at, 1), Math.Round(width, 1), to - from);
        }).ToList();
        return new TraceView(trace.TraceId, trace.Sampled, length, lines, trace.Dropped + trace.Spans.Count - lines.Count);
    }

    /// <summary>Each span after its parent, siblings by their start. Of those whose parent is not there, each begins a tree.</summary>
    private static IEnumerable<(int Depth, V1.Span Span)> Tree(IReadOnlyCollection<V1.Span> spans)
    {
        var ids = spans.Select(span => span.SpanId).ToHashSet(StringComparer.Ordinal);
        var children = spans.OrderBy(span => span.Start.ToDateTimeOffset()).ToLookup(span => ids.Contains(span.ParentId) ? span.ParentId : "", StringComparer.Ordinal);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var open = new Stack<(int Depth, V1.Span Span)>(children[""].Reverse().Select(span => (0, span)));
        while (open.TryPop(out var next))
        {
            if (!seen.Add(next.Span.SpanId))
            {
                continue; // two told of it
            }

            yield return next;
            foreach (var child in children[next.Span.SpanId].Reverse())
            {
                open.Push((next.Depth + 1, child));
            }
        }
    }
}
