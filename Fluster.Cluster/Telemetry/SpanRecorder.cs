using System.Diagnostics;
using Google.Protobuf.WellKnownTypes;

namespace Fluster.Cluster;

/// <summary>
/// Hands the spans of a job's process to its worker: of user code, of Fluster's libraries in it and of every source of the job's own; of .NET's only what is part of a trace. Parent-based: what
/// goes on with a trace is kept as that is; of traces that begin here, so many in a second. A failed span is always kept, and with it those above it.
/// </summary>
internal sealed class SpanRecorder : IDisposable
{
    private static readonly Lock s_gate = new();
    private static SpanRecorder? s_current;
    private static bool s_looked;

    private readonly SpanSpool _spool;
    private readonly RootRate _roots;
    private readonly ActivityListener _listener;

    /// <param name="directory">Where the worker looks.</param>
    /// <param name="time">The clock.</param>
    /// <param name="roots">Traces per second that may begin here.</param>
    public SpanRecorder(string directory, TimeProvider time, int roots = RootRate.Default)
    {
        _spool = new SpanSpool(directory, time);
        _roots = new RootRate(time, roots);
        _listener = new ActivityListener
        {
            ShouldListenTo = static source => !source.Name.StartsWith("Experimental.", StringComparison.Ordinal) && !source.Name.StartsWith("Grpc.", StringComparison.Ordinal), // HTTP below it tells the same
            Sample = Sample,
            ActivityStopped = Stopped,
        };
        ActivitySource.AddActivityListener(_listener);
    }

    /// <summary>Begins to listen when this process is a job's and its worker wants spans. Once; cheap when called again.</summary>
    public static void Listen()
    {
        lock (s_gate)
        {
            if (s_looked)
            {
                return;
            }

            s_looked = true;
            if (FlusterEnvironment.Get(FlusterEnvironment.SpanDirectory) is { } directory && Directory.Exists(directory))
            {
                s_current = new SpanRecorder(directory, TimeProvider.System);
                AppDomain.CurrentDomain.ProcessExit += static (_, _) => s_current.Dispose();
            }
        }
    }

    /// <summary>Says that user code begins now: from the launch of the process until here, it started.</summary>
    /// <param name="userCode">The span of the user code.</param>
    public static void Started(Activity? userCode)
    {
        if (s_current is not { } recorder || userCode is not { Recorded: true })
        {
            return;
        }

        // Beside the user code: nothing of this is needed before it begins, and all of it has to be compiled first. Should a span below it end before this is done, that
        // one tells of it, too; who is told twice keeps one.
        ThreadPool.UnsafeQueueUserWorkItem(static told => told.Recorder.TellStart(told.UserCode), (Recorder: recorder, UserCode: userCode), preferLocal: false);
    }

    private void TellStart(Activity userCode)
    {
        V1.Span Span(string name, ActivitySpanId id, ActivitySpanId parent, DateTime start) => new()
        {
            TraceId = userCode.TraceId.ToHexString(),
            SpanId = id.ToHexString(),
            ParentId = parent.ToHexString(),
            Source = userCode.Source.Name,
            Name = SpanLimits.Cut(name, SpanLimits.LongestName),
            Kind = V1.SpanKind.Internal,
            Start = Timestamp.FromDateTime(start),
        };

        if (long.TryParse(FlusterEnvironment.Get(FlusterEnvironment.LaunchedAt), out var launched))
        {
            var start = Span("process start", ActivitySpanId.CreateRandom(), userCode.ParentSpanId, DateTime.UnixEpoch.AddMicroseconds(launched));
            start.End = Timestamp.FromDateTime(userCode.StartTimeUtc);
            _spool.Add(start);
        }

        if (!userCode.IsStopped)
        {
            _spool.Add(Span(userCode.DisplayName, userCode.SpanId, userCode.ParentSpanId, userCode.StartTimeUtc));
        }
    }

    public void Dispose()
    {
        _listener.Dispose();
        _spool.Dispose();
    }

    /// <summary>On the disk when this returns.</summary>
    public void Flush() => _spool.Flush();

    private ActivitySamplingResult Sample(ref ActivityCreationOptions<ActivityContext> options)
    {
        if (options.Parent.TraceId != default)
        {
            return options.Parent.TraceFlags.HasFlag(ActivityTraceFlags.Recorded) ? ActivitySamplingResult.AllDataAndRecorded : ActivitySamplingResult.AllData;
        }

        return IsOfDotnet(options.Source) ? ActivitySamplingResult.None : _roots.Take() ? ActivitySamplingResult.AllDataAndRecorded : ActivitySamplingResult.AllData;
    }

    private void Stopped(Activity activity)
    {
        if (!activity.Recorded)
        {
            if (activity.Status != ActivityStatusCode.Error)
            {
                return;
            }

            // What failed is told of whether or not its trace is sampled, and from here on everything above it is, too.
            for (var above = activity.Parent; above is not null; above = above.Parent)
            {
                above.ActivityTraceFlags |= ActivityTraceFlags.Recorded;
            }
        }

        for (var above = activity.Parent; above is not null; above = above.Parent)
        {
            Announce(above);
        }

        _spool.Add(activity.ToWire(ended: true));
    }

    /// <summary>Tells of a span that goes on: those below it are not to be without it should the process be killed.</summary>
    private void Announce(Activity activity)
    {
        if (activity.GetCustomProperty(nameof(SpanRecorder)) is null && !activity.IsStopped)
        {
            activity.SetCustomProperty(nameof(SpanRecorder), this);
            _spool.Add(activity.ToWire(ended: false));
        }
    }

    private static bool IsOfDotnet(ActivitySource source) =>
        source.Name.StartsWith("System.", StringComparison.Ordinal) || source.Name.StartsWith("Microsoft.", StringComparison.Ordinal);
}
