using System.Diagnostics;
using System.Globalization;
using Fluster.Cluster;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>
/// Looks whether traces are whole: every span has its parent in the same trace, or is the root, or goes on with what a client outside of the cluster did; and the parts of a
/// start-up add up to what it took.
/// </summary>
internal static class TraceChecker
{
    /// <summary>What there is between the submit and the first line of user code, in this order.</summary>
    public static readonly string[] StartUp = ["submit", "queue", "placement", "accept", "bundle", "process start"];

    /// <summary>What is wrong with a trace; nothing when it is whole.</summary>
    /// <param name="spans">All of it.</param>
    /// <param name="isOutside">Whether a span is one of a client's, by its id.</param>
    public static IReadOnlyList<string> Problems(IReadOnlyCollection<V1.Span> spans, Func<string, bool>? isOutside = null)
    {
        var problems = new List<string>();
        var ids = spans.Select(span => span.SpanId).ToHashSet(StringComparer.Ordinal);
        problems.AddRange(spans.GroupBy(span => span.SpanId, StringComparer.Ordinal).Where(same => same.Count() > 1).Select(same => $"{Name(same.First())} is there {same.Count()} times"));
        problems.AddRange(spans.Where(span => span.TraceId != spans.First().TraceId).Select(span => $"{Name(span)} is of another trace"));

        // The caller's own span of a call is known when the call ends. Where the caller was killed before, what it called has nothing above it.
        var isCut = spans.Any(span => span is { Source: "Fluster.Worker", Status: not V1.SpanStatus.Ok, End: not null } && span.Name.StartsWith("attempt", StringComparison.Ordinal));
        problems.AddRange(spans
            .Where(span => span.ParentId.Length > 0 && !ids.Contains(span.ParentId) && isOutside?.Invoke(span.ParentId) != true && !(isCut && span.Kind == V1.SpanKind.Server))
            .Select(span => $"{Name(span)} has no parent ({span.ParentId})"));
        problems.AddRange(spans.Where(span => span.End is not null && span.End.ToDateTimeOffset() < span.Start.ToDateTimeOffset()).Select(span => $"{Name(span)} ends before it begins"));
        if (spans.Count > 0 && spans.Count(span => span.ParentId.Length == 0) > 1)
        {
            problems.Add($"There are several roots: {string.Join(", ", spans.Where(span => span.ParentId.Length == 0).Select(Name))}");
        }

        return problems;
    }

    /// <summary>How much of a time the parts of a start-up cover, from 0 to 1.</summary>
    public static double Covered(IEnumerable<V1.Span> parts, DateTimeOffset from, DateTimeOffset to)
    {
        var (covered, at) = (TimeSpan.Zero, from);
        foreach (var part in parts.OrderBy(span => span.Start.ToDateTimeOffset()))
        {
            var (start, end) = (Later(part.Start.ToDateTimeOffset(), at), Earlier(part.End.ToDateTimeOffset(), to));
            if (end > start)
            {
                covered += end - start;
                at = end;
            }
        }

        return covered / (to - from);
    }

    /// <summary>Fails when a trace of the cluster's jobs is not whole.</summary>
    public static async Task CheckAsync(FlusterClient client)
    {
        var problems = new List<string>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var job in client.ListAsync(new JobFilter { AllNamespaces = true }))
        {
            var trace = await client.GetTraceAsync(job.Id, CancellationToken.None);
            if (trace.Sampled && trace.Dropped == 0 && job.State.IsTerminal && seen.Add(trace.TraceId) && trace.Spans.All(span => span.End is not null || !IsOfController(span)))
            {
                problems.AddRange(Problems(trace.Spans).Select(problem => $"{job.Id}: {problem}"));
            }
        }

        Assert.True(problems.Count == 0, string.Join('\n', problems.Take(20)));
    }

    /// <summary>A trace for people.</summary>
    public static string Text(IEnumerable<V1.Span> spans) => string.Join('\n', spans.Select(span => string.Create(
        CultureInfo.InvariantCulture, $"{span.Start.ToDateTimeOffset():HH:mm:ss.ffffff} {(span.End is null ? "open" : $"{(span.End - span.Start).ToTimeSpan().TotalMilliseconds:0.0} ms"),-10} {Name(span)} {span.SpanId} below {span.ParentId} {span.StatusMessage}")));

    private static string Name(V1.Span span) => $"{span.Source} '{span.Name}' of {span.JobId}";

    private static bool IsOfController(V1.Span span) => span.Source == "Fluster.Controller";

    private static DateTimeOffset Later(DateTimeOffset one, DateTimeOffset other) => one > other ? one : other;

    private static DateTimeOffset Earlier(DateTimeOffset one, DateTimeOffset other) => one < other ? one : other;
}

/// <summary>The spans of this process that go on with, or begin, one trace. Others are not touched: listeners are the process's own.</summary>
internal sealed class OwnSpans : IDisposable
{
    private readonly ActivityListener _listener;
    private readonly List<V1.Span> _spans = [];

    public OwnSpans()
    {
        Root = new Activity("test").SetIdFormat(ActivityIdFormat.W3C);
        Root.ActivityTraceFlags = ActivityTraceFlags.Recorded;
        _listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name.StartsWith("Fluster.", StringComparison.Ordinal),
            Sample = (ref ActivityCreationOptions<ActivityContext> options) => options.Parent.TraceId == Root.TraceId ? ActivitySamplingResult.AllDataAndRecorded : ActivitySamplingResult.None,
            ActivityStopped = Stopped,
        };
        Root.Start();
        ActivitySource.AddActivityListener(_listener);
    }

    /// <summary>Above all others.</summary>
    public Activity Root { get; }

    public IReadOnlyList<V1.Span> Spans
    {
        get
        {
            lock (_spans)
            {
                return [.. _spans];
            }
        }
    }

    public void Dispose()
    {
        Root.Dispose();
        _listener.Dispose();
    }

    private void Stopped(Activity activity)
    {
        if (activity.TraceId == Root.TraceId)
        {
            lock (_spans)
            {
                _spans.Add(activity.ToWire(ended: true));
            }
        }
    }
}
