using System.Diagnostics.CodeAnalysis;

namespace Aspire.Hosting.Dashboard;

/// <summary>A trace: the spans of one, in the order in which they came.</summary>
internal sealed class TraceRecord(string id)
{
    private readonly List<SpanRecord> _spans = [];

    public string Id => id;

    public IReadOnlyList<SpanRecord> Spans => _spans;

    public ulong Start { get; private set; } = ulong.MaxValue;

    public ulong End { get; private set; }

    public int Errors { get; private set; }

    /// <summary>The span without a parent; while it has not come, the earliest.</summary>
    public SpanRecord Root => _spans.Find(span => span.ParentId.Length == 0) ?? _spans.MinBy(span => span.Start)!;

    public void Add(SpanRecord span)
    {
        _spans.Add(span);
        Start = Math.Min(Start, span.Start);
        End = Math.Max(End, span.End);
        Errors += span.IsError ? 1 : 0;
    }
}

/// <summary>What telemetry was sent, the newest of it: so many spans (whole traces go, the oldest first), log records and series of metrics.</summary>
internal sealed class TelemetryStore
{
    public const int MostSpans = 20_000;
    public const int MostLogs = 10_000;
    public const int MostSeries = 2_000;
    public const int MostPoints = 120;

    /// <summary>A trace that never ends is not to drive out all others.</summary>
    private const int MostSpansOfATrace = 5_000;

    private const int Slack = 1_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, TraceRecord> _traces = new(StringComparer.Ordinal);
    private readonly Queue<string> _order = new();
    private readonly List<LogRecord> _logs = [];
    private readonly Dictionary<(TelemetrySource, string, string), List<MetricPoint>> _series = [];
    private int _spans;

    public void Add(IReadOnlyList<SpanRecord> spans)
    {
        lock (_lock)
        {
            foreach (var span in spans)
            {
                if (!_traces.TryGetValue(span.TraceId, out var trace))
                {
                    _traces[span.TraceId] = trace = new TraceRecord(span.TraceId);
                    _order.Enqueue(span.TraceId);
                }

                if (trace.Spans.Count < MostSpansOfATrace)
                {
                    trace.Add(span);
                    _spans++;
                }
            }

            while (_spans > MostSpans && _order.Count > 1)
            {
                _traces.Remove(_order.Dequeue(), out var oldest);
                _spans -= oldest!.Spans.Count;
            }
        }
    }

    public void Add(IReadOnlyList<LogRecord> logs)
    {
        lock (_lock)
        {
            _logs.AddRange(logs);
            if (_logs.Count >= MostLogs + Slack)
            {
                _logs.RemoveRange(0, _logs.Count - MostLogs);
            }
        }
    }

    public void Add(IReadOnlyList<MetricPoint> points)
    {
        lock (_lock)
        {
            foreach (var point in points)
            {
                var key = (point.Source, point.Name, point.Attributes);
                if (!_series.TryGetValue(key, out var series))
                {
                    if (_series.Count >= MostSeries)
                    {
                        continue; // Better the old ones whole than all of them in pieces.
                    }

                    _series[key] = series = [];
                }

                series.Add(point);
                if (series.Count > MostPoints)
                {
                    series.RemoveAt(0);
                }
            }
        }
    }

    /// <summary>Something of every trace, the newest first.</summary>
    public List<T> Traces<T>(Func<TraceRecord, bool> isIt, Func<TraceRecord, T> select)
    {
        lock (_lock)
        {
            return [.. _traces.Values.Where(isIt).OrderByDescending(trace => trace.Start).Select(select)];
        }
    }

    /// <summary>The spans of a trace.</summary>
    public bool TryGetTrace(string id, [NotNullWhen(true)] out IReadOnlyList<SpanRecord>? spans)
    {
        lock (_lock)
        {
            spans = _traces.TryGetValue(id, out var trace) ? [.. trace.Spans] : null;
            return spans is not null;
        }
    }

    /// <summary>Log records, the newest first.</summary>
    public List<LogRecord> Logs(Func<LogRecord, bool> isIt)
    {
        List<LogRecord> logs;
        lock (_lock)
        {
            logs = [.. _logs.Skip(_logs.Count - MostLogs)];
        }

        logs.RemoveAll(log => !isIt(log));
        logs.Sort((left, right) => right.At.CompareTo(left.At));
        return logs;
    }

    /// <summary>Series of metrics, each with its last points.</summary>
    public List<List<MetricPoint>> Series(Func<MetricPoint, bool> isIt)
    {
        lock (_lock)
        {
            return [.. _series.Values.Where(points => isIt(points[^1])).Select(points => new List<MetricPoint>(points))];
        }
    }

    /// <summary>The services that have sent something.</summary>
    public List<string> Services()
    {
        lock (_lock)
        {
            return [.. _traces.Values.SelectMany(trace => trace.Spans.Select(span => span.Source.Service)).Concat(_logs.Select(log => log.Source.Service)).Concat(_series.Keys.Select(key => key.Item1.Service))
                .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        }
    }
}
