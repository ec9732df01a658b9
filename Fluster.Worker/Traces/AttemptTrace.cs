using System.Diagnostics;
using Google.Protobuf.WellKnownTypes;

namespace Fluster.Worker;

/// <summary>
/// What a worker knows of one attempt as spans: the whole of it, what it took to begin, and what its processes tell. Of a trace that is not sampled nothing leaves the worker,
/// unless the attempt fails or something in it did.
/// </summary>
internal sealed class AttemptTrace
{
    public const string Source = "Fluster.Worker";

    /// <summary>Spans that a process began and did not end; of more than these the end is not told.</summary>
    private const int MostOpen = 1_000;

    private readonly Lock _gate = new();
    private readonly Fence _fence;
    private readonly V1.Span? _attempt; // null: there is no trace
    private readonly SpanFiles _files;
    private readonly SpanOutbox _outbox;
    private readonly TimeProvider _time;
    private readonly Dictionary<string, V1.Span> _open = new(StringComparer.Ordinal);
    private List<V1.Span>? _held; // until it is known whether they are wanted; null: they are
    private bool _ended;

    /// <param name="fence">The attempt.</param>
    /// <param name="spec">What it is to run.</param>
    /// <param name="worker">The worker's name.</param>
    /// <param name="directory">Where its processes leave their spans.</param>
    /// <param name="outbox">Takes what the controller is to know.</param>
    /// <param name="time">The clock.</param>
    public AttemptTrace(Fence fence, V1.AttemptSpec spec, string worker, string directory, SpanOutbox outbox, TimeProvider time)
    {
        (_fence, _files, _outbox, _time) = (fence, new SpanFiles(directory), outbox, time);
        if (!ActivityContext.TryParse(spec.Trace?.Traceparent, null, out var context))
        {
            return;
        }

        _held = context.TraceFlags.HasFlag(ActivityTraceFlags.Recorded) ? null : [];
        var now = time.GetUtcNow().ToTimestamp();
        _attempt = new V1.Span
        {
            TraceId = context.TraceId.ToHexString(),
            SpanId = context.SpanId.ToHexString(),
            ParentId = spec.ParentSpanId,
            Source = Source,
            Name = $"attempt {spec.AttemptNumber}",
            Kind = V1.SpanKind.Internal,
            Start = spec.Trace?.ReceivedAt ?? now,
        };
        _attempt.Attributes["fluster.worker_id"] = worker;
        _attempt.Attributes["fluster.fence"] = fence.ToString();
        _attempt.Attributes["fluster.task"] = spec.TaskIndex.ToString(System.Globalization.CultureInfo.InvariantCulture);
        _attempt.Attributes["fluster.attempt"] = spec.AttemptNumber.ToString(System.Globalization.CultureInfo.InvariantCulture);
        if (spec.PreviousSpanId.Length > 0)
        {
            _attempt.Links.Add(new V1.SpanLink { TraceId = _attempt.TraceId, SpanId = spec.PreviousSpanId });
        }

        Add(Child("accept", _attempt.Start, now)); // written down, so that it is never started twice
        outbox.Add(this);
    }

    /// <summary>Tells of a step on the way to user code, from now until the result is disposed.</summary>
    public Step Begin(string name) => new(this, name);

    /// <summary>Takes over what the processes have told.</summary>
    public void Collect()
    {
        lock (_gate)
        {
            if (_attempt is null || _ended)
            {
                return;
            }

            foreach (var span in _files.Read())
            {
                if (span.End is null && _open.Count < MostOpen)
                {
                    _open[span.SpanId] = span;
                }
                else if (span.End is not null)
                {
                    _open.Remove(span.SpanId);
                }

                Want();
                Add(span);
            }
        }
    }

    /// <summary>All of it has ended, and its files are still there. Only the first time counts.</summary>
    /// <param name="end">How it ended.</param>
    /// <param name="wasAsked">Somebody wanted it to.</param>
    public void End(AttemptEnd end, bool wasAsked)
    {
        Collect();
        lock (_gate)
        {
            if (_attempt is null || _ended)
            {
                return;
            }

            _ended = true;
            var now = _time.GetUtcNow().ToTimestamp();
            foreach (var span in _open.Values)
            {
                span.End = now;
                (span.Status, span.StatusMessage) = (V1.SpanStatus.Error, "Its process ended first.");
                Add(span);
            }

            var succeeded = end is { Failure: null, Exception: null, Signal: null } && end.ExitCode is 0;
            _attempt.End = now;
            _attempt.Status = succeeded ? V1.SpanStatus.Ok : wasAsked ? V1.SpanStatus.Unspecified : V1.SpanStatus.Error;
            _attempt.StatusMessage = SpanLimits.Cut(
                end.Failure?.Message ?? end.Exception?.Message ?? (end.Signal is { } signal ? $"Signal: {signal}" : end.ExitCode is { } code and not 0 ? $"Exit code: {code}" : ""), SpanLimits.LongestValue);
            if (_attempt.Status == V1.SpanStatus.Error)
            {
                Want();
            }

            Add(_attempt);
        }

        _outbox.Remove(this);
    }

    /// <summary>From here on everything goes to the controller.</summary>
    private void Want()
    {
        if (_held is { } held)
        {
            _held = null;
            _outbox.Put(_fence, held);
        }
    }

    private void Add(V1.Span span)
    {
        if (_held is null)
        {
            _outbox.Put(_fence, [span]);
        }
        else
        {
            _held.Add(span);
        }
    }

    private V1.Span Child(string name, Timestamp start, Timestamp end) => new()
    {
        TraceId = _attempt!.TraceId,
        SpanId = ActivitySpanId.CreateRandom().ToHexString(),
        ParentId = _attempt.SpanId,
        Source = Source,
        Name = name,
        Kind = V1.SpanKind.Internal,
        Start = start,
        End = end,
    };

    private void Add(string name, DateTimeOffset start)
    {
        lock (_gate)
        {
            if (_attempt is not null && !_ended)
            {
                Add(Child(name, start.ToTimestamp(), _time.GetUtcNow().ToTimestamp()));
            }
        }
    }

    /// <summary>A step that ends when this is disposed.</summary>
    internal readonly struct Step(AttemptTrace trace, string name) : IDisposable
    {
        private readonly DateTimeOffset _start = trace._time.GetUtcNow();

        public void Dispose() => trace.Add(name, _start);
    }
}
