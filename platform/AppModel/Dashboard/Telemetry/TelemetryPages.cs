using System.Globalization;
using AppModel.Pages;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Aspire.Hosting.Dashboard;

/// <summary>Traces, structured logs and metrics, searched and paged on the server.</summary>
internal sealed class TelemetryPages(RunArchive runs, PageWriter pages, Frames frames)
{
    private const int RowsOfAPage = 100;

    /// <summary>In the order of OpenTelemetry's numbers: four for each.</summary>
    private static readonly (string Name, string Tone)[] s_levels =
        [("Trace", "tone-off"), ("Debug", "tone-off"), ("Information", "tone-run"), ("Warning", "tone-wait"), ("Error", "tone-bad"), ("Critical", "tone-bad")];

    public void Map(WebApplication app)
    {
        app.Get("/traces", context => InRunAsync(context, TracesAsync));
        app.Get("/traces/{id}", context => InRunAsync(context, TraceAsync));
        app.Get("/logs", context => InRunAsync(context, LogsAsync));
        app.Get("/metrics", context => InRunAsync(context, MetricsAsync));
    }

    private Task<IResult> InRunAsync(HttpContext context, Func<HttpContext, TelemetryStore, Task<IResult>> page) =>
        runs.Of(context) is { } run ? page(context, run.Telemetry) : frames.MissingAsync(context, "That run is not kept any more.");

    private Task<IResult> TracesAsync(HttpContext context, TelemetryStore store)
    {
        var (resource, search, errors) = (Text(context, "resource"), Text(context, "q"), Text(context, "errors") == "1");
        var found = store.Traces(
            trace => (!errors || trace.Errors > 0)
                && (resource.Length == 0 || trace.Spans.Any(span => span.Source.Service == resource))
                && (search.Length == 0 || trace.Id.StartsWith(search, StringComparison.OrdinalIgnoreCase) || trace.Spans.Any(span => span.Name.Contains(search, StringComparison.OrdinalIgnoreCase))),
            Row);
        var (rows, page) = Paged(context, found);
        return pages.DrawAsync<TracesPage>(new()
        {
            ["Frame"] = frames.Of(context, "/traces"),
            ["Services"] = store.Services(),
            ["Resource"] = resource,
            ["Search"] = search,
            ["OnlyErrors"] = errors,
            ["Traces"] = rows,
            ["Page"] = page,
        });
    }

    private Task<IResult> TraceAsync(HttpContext context, TelemetryStore store)
    {
        var id = (string)context.Request.RouteValues["id"]!;
        if (!store.TryGetTrace(id, out var spans))
        {
            return frames.MissingAsync(context, $"The trace {id} is not here. It may not have been sampled, or it was driven out by newer ones.");
        }

        var trace = new TraceRecord(id);
        foreach (var span in spans)
        {
            trace.Add(span);
        }

        var rows = Waterfall.Rows(trace);
        var chosen = Text(context, "span") is { Length: > 0 } wish ? spans.FirstOrDefault(span => span.SpanId == wish) : null;
        return pages.DrawAsync<TracePage>(new()
        {
            ["Frame"] = frames.Of(context, "/traces"),
            ["Trace"] = Row(trace),
            ["Spans"] = rows,
            ["Details"] = chosen is null ? null : Details(chosen, rows.First(row => row.Id == chosen.SpanId), trace, store),
        });
    }

    private Task<IResult> LogsAsync(HttpContext context, TelemetryStore store)
    {
        var (resource, search, trace) = (Text(context, "resource"), Text(context, "q"), Text(context, "trace"));
        var level = Math.Max(0, Array.FindIndex(s_levels, candidate => candidate.Name == Text(context, "level")));
        var found = store.Logs(log => (resource.Length == 0 || log.Source.Service == resource)
            && (level == 0 || Level(log) >= level)
            && (trace.Length == 0 || log.TraceId.StartsWith(trace, StringComparison.OrdinalIgnoreCase))
            && (search.Length == 0 || log.Body.Contains(search, StringComparison.OrdinalIgnoreCase) || log.Scope.Contains(search, StringComparison.OrdinalIgnoreCase)
                || log.Attributes.Any(attribute => attribute.Value.Contains(search, StringComparison.OrdinalIgnoreCase))));
        var (rows, page) = Paged(context, found);
        return pages.DrawAsync<LogsPage>(new()
        {
            ["Frame"] = frames.Of(context, "/logs"),
            ["Services"] = store.Services(),
            ["Levels"] = (string[])[.. s_levels.Select(candidate => candidate.Name)],
            ["Resource"] = resource,
            ["Level"] = s_levels[level].Name,
            ["Search"] = search,
            ["Trace"] = trace,
            ["Logs"] = rows.ConvertAll(log => new LogRow(
                Instant.Time(log.At), log.Source.Service, s_levels[Level(log)].Name, s_levels[Level(log)].Tone, log.Scope, log.Body, log.TraceId, log.SpanId, log.Attributes)),
            ["Page"] = page,
        });
    }

    private Task<IResult> MetricsAsync(HttpContext context, TelemetryStore store)
    {
        var (resource, search) = (Text(context, "resource"), Text(context, "q"));
        var found = store.Series(point => (resource.Length == 0 || point.Source.Service == resource)
            && (search.Length == 0 || point.Name.Contains(search, StringComparison.OrdinalIgnoreCase) || point.Attributes.Contains(search, StringComparison.OrdinalIgnoreCase)));
        found.Sort((left, right) => string.CompareOrdinal($"{left[0].Name}\n{left[0].Source.Service}\n{left[0].Attributes}", $"{right[0].Name}\n{right[0].Source.Service}\n{right[0].Attributes}"));
        var (rows, page) = Paged(context, found);
        return pages.DrawAsync<MetricsPage>(new()
        {
            ["Frame"] = frames.Of(context, "/metrics"),
            ["Services"] = store.Services(),
            ["Resource"] = resource,
            ["Search"] = search,
            ["Series"] = rows.ConvertAll(points => new SeriesRow(
                points[^1].Source.Service,
                points[^1].Name,
                points[^1].Unit,
                points[^1].Kind == "histogram" ? string.Create(CultureInfo.InvariantCulture, $"histogram, mean of {points[^1].Count}") : points[^1].Kind,
                points[^1].Attributes,
                points[^1].Value.ToString("0.######", CultureInfo.InvariantCulture),
                Sparkline(points))),
            ["Page"] = page,
        });
    }

    private static TraceRow Row(TraceRecord trace)
    {
        var root = trace.Root;
        return new TraceRow(
            trace.Id, root.Name, root.Source.Service, Instant.Time(trace.Start), Instant.Duration(trace.Start, trace.End), trace.Spans.Count, trace.Errors,
            string.Join(", ", trace.Spans.GroupBy(span => span.Source.Service, StringComparer.Ordinal).Select(group => $"{group.Key} ({group.Count()})")));
    }

    private static SpanDetails Details(SpanRecord span, SpanRow row, TraceRecord trace, TelemetryStore store) => new(
        row,
        span.Source.Instance,
        span.Scope,
        span.StatusMessage,
        span.Attributes,
        [.. span.Events.Select(item => new SpanEventRow(Instant.Duration(trace.Start, item.At), item.Name, item.Attributes))],
        [.. span.Links.Select(link => new SpanLinkRow(link.TraceId, link.SpanId, store.TryGetTrace(link.TraceId, out _)))]);

    private static int Level(LogRecord log) => log.Severity == 0 ? 2 : Math.Min((log.Severity - 1) / 4, s_levels.Length - 1);

    private static string Text(HttpContext context, string name) => ((string?)context.Request.Query[name] ?? "").Trim();

    private static (List<T> Rows, PageOf Page) Paged<T>(HttpContext context, List<T> found)
    {
        var count = Math.Max(1, (found.Count + RowsOfAPage - 1) / RowsOfAPage);
        var number = int.TryParse(Text(context, "page"), CultureInfo.InvariantCulture, out var wish) ? Math.Clamp(wish, 1, count) : 1;
        var query = string.Join('&', context.Request.Query.Where(item => item.Key != "page").Select(item => $"{Uri.EscapeDataString(item.Key)}={Uri.EscapeDataString(item.Value.ToString())}"));
        var first = (number - 1) * RowsOfAPage;
        return (found.GetRange(first, Math.Min(RowsOfAPage, found.Count - first)), new PageOf(number, count, found.Count, query));
    }

    // 120 wide, 24 high, the newest at the right.
    private static string Sparkline(List<MetricPoint> points)
    {
        if (points.Count < 2)
        {
            return "";
        }

        var (low, high) = (points.Min(point => point.Value), points.Max(point => point.Value));
        var scale = high > low ? 20 / (high - low) : 0;
        return "M" + string.Join('L', points.Select((point, index) =>
            string.Create(CultureInfo.InvariantCulture, $"{120.0 * index / (points.Count - 1):0.#} {22 - ((point.Value - low) * scale):0.#}")));
    }
}
