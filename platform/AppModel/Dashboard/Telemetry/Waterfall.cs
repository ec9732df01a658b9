using AppModel.Pages;

namespace Aspire.Hosting.Dashboard;

/// <summary>Puts the spans of a trace into an order in which each stands below its parent, and gives each its bar.</summary>
internal static class Waterfall
{
    private const double Whole = 1_000;

    /// <summary>A bar that would be too small to be seen.</summary>
    private const double Smallest = 2;

    public static IReadOnlyList<SpanRow> Rows(TraceRecord trace)
    {
        var known = trace.Spans.Select(span => span.SpanId).ToHashSet(StringComparer.Ordinal);
        // A span whose parent has not come (or never will) stands at the top; so does one that is its own parent.
        var children = trace.Spans.ToLookup(span => known.Contains(span.ParentId) && span.ParentId != span.SpanId ? span.ParentId : "", StringComparer.Ordinal);
        var rows = new List<SpanRow>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        Add("");
        foreach (var span in trace.Spans.Where(span => !seen.Contains(span.SpanId)))
        {
            AddSpan(span, depth: 0); // a circle of parents
        }

        return rows;

        void Add(string top)
        {
            var open = new Stack<(SpanRecord Span, int Depth)>(Sorted(top).Select(span => (span, 0)));
            while (open.TryPop(out var next))
            {
                if (AddSpan(next.Span, next.Depth))
                {
                    foreach (var child in Sorted(next.Span.SpanId))
                    {
                        open.Push((child, next.Depth + 1));
                    }
                }
            }
        }

        // The last comes first: a stack turns it round.
        IEnumerable<SpanRecord> Sorted(string parent) => children[parent].OrderByDescending(span => span.Start).ThenBy(span => span.SpanId, StringComparer.Ordinal);

        bool AddSpan(SpanRecord span, int depth)
        {
            if (!seen.Add(span.SpanId))
            {
                return false;
            }

            var total = Math.Max(1d, trace.End - trace.Start);
            var width = Math.Max(Smallest, (span.End > span.Start ? span.End - span.Start : 0) / total * Whole);
            rows.Add(new SpanRow
            {
                Id = span.SpanId,
                Name = span.Name,
                Service = span.Source.Service,
                Kind = span.Kind,
                Duration = Instant.Duration(span.Start, span.End),
                Offset = Instant.Duration(trace.Start, span.Start),
                Depth = depth,
                Left = Math.Min((span.Start - trace.Start) / total * Whole, Whole - Math.Min(width, Whole)),
                Width = Math.Min(width, Whole),
                IsError = span.IsError,
            });
            return true;
        }
    }
}
