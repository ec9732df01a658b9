using System.Globalization;
using Fluster.Cluster;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Cli;

/// <summary>A trace as text: a tree, with when each part began and how long it took.</summary>
internal static class TraceText
{
    public static void Show(JobId job, V1.GetJobTraceResponse trace, DateTimeOffset now)
    {
        if (trace.Spans.Count == 0)
        {
            Output.Note(trace.TraceId.Length == 0 ? $"{job} was submitted before this cluster kept traces."
                : trace.Sampled ? $"Nothing is kept of the trace of {job} any more."
                : $"The trace of {job} is not sampled: more began in that second than are kept, or its submitter decided so. It is kept when the job fails.");
            return;
        }

        var origin = trace.Spans.Min(span => span.Start.ToDateTimeOffset());
        var table = new TextTable("SPAN", "AT", "TOOK", "BY", "");
        foreach (var (depth, span) in SpanTree.Of(trace.Spans))
        {
            var end = span.End?.ToDateTimeOffset();
            table.Add(
                string.Concat(new string(' ', depth * 2), span.Name),
                Text(span.Start.ToDateTimeOffset() - origin),
                end is null ? $"{Text(now - span.Start.ToDateTimeOffset())} and goes on" : Text(end.Value - span.Start.ToDateTimeOffset()),
                span.Source,
                span.Status == V1.SpanStatus.Error ? span.StatusMessage.Length > 0 ? $"failed: {span.StatusMessage.ReplaceLineEndings(" ")}" : "failed" : "");
        }

        table.Write();
        if (trace.Dropped > 0)
        {
            Output.Note($"{trace.Dropped} spans of this job were given up: it had more than are kept.");
        }
    }

    private static string Text(TimeSpan time) => time.TotalSeconds < 1
        ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds:0.0} ms")
        : time.TotalMinutes < 1 ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.00} s")
        : string.Create(CultureInfo.InvariantCulture, $"{(long)time.TotalMinutes} min {time.Seconds} s");
}

/// <summary>The spans of a trace below each other, each level by its start.</summary>
internal static class SpanTree
{
    public static IEnumerable<(int Depth, V1.Span Span)> Of(IReadOnlyCollection<V1.Span> spans)
    {
        var ids = spans.Select(span => span.SpanId).ToHashSet(StringComparer.Ordinal);
        var children = spans.OrderBy(span => span.Start.ToDateTimeOffset()).ToLookup(span => ids.Contains(span.ParentId) ? span.ParentId : "", StringComparer.Ordinal);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var next = new Stack<(int Depth, V1.Span Span)>(children[""].Reverse().Select(span => (0, span)));
        while (next.TryPop(out var found))
        {
            if (!seen.Add(found.Span.SpanId))
            {
                continue; // told of by two
            }

            yield return found;
            foreach (var child in children[found.Span.SpanId].Reverse())
            {
                next.Push((found.Depth + 1, child));
            }
        }
    }
}

internal sealed record TraceView(string Job, string TraceId, bool Sampled, long Dropped, IReadOnlyList<SpanView> Spans)
{
    public static TraceView From(JobId job, V1.GetJobTraceResponse trace) =>
        new(job.ToString(), trace.TraceId, trace.Sampled, trace.Dropped, [.. SpanTree.Of(trace.Spans).Select(entry => SpanView.From(entry.Span))]);
}

internal sealed record SpanView
{
    public required string Id { get; init; }

    public string? Parent { get; init; }

    public required string Name { get; init; }

    public required string Source { get; init; }

    public required string Kind { get; init; }

    public required string Job { get; init; }

    public DateTimeOffset Start { get; init; }

    public DateTimeOffset? End { get; init; }

    public double? Milliseconds { get; init; }

    public required string Status { get; init; }

    public string? Message { get; init; }

    public required IReadOnlyDictionary<string, string> Attributes { get; init; }

    public IReadOnlyList<string>? Links { get; init; }

    public static SpanView From(V1.Span span) => new()
    {
        Id = span.SpanId,
        Parent = span.ParentId.Length > 0 ? span.ParentId : null,
        Name = span.Name,
        Source = span.Source,
        Kind = span.Kind.ToString(),
        Job = span.JobId,
        Start = span.Start.ToDateTimeOffset(),
        End = span.End?.ToDateTimeOffset(),
        Milliseconds = span.End is null ? null : (span.End - span.Start).ToTimeSpan().TotalMilliseconds,
        Status = span.Status.ToString(),
        Message = span.StatusMessage.Length > 0 ? span.StatusMessage : null,
        Attributes = new SortedDictionary<string, string>(span.Attributes, StringComparer.Ordinal),
        Links = span.Links.Count == 0 ? null : [.. span.Links.Select(link => link.SpanId)],
    };
}
