using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Fluster.Controller;

/// <summary>The trace that a job is part of, as its record says. The ids of the controller's own spans follow from what they are about, so that every start of it names them alike.</summary>
internal sealed record JobTrace
{
    private JobTrace(V1.TraceContext context, ActivityContext parent) => (Context, Parent) = (context, parent);

    /// <summary>Whoever submitted; without a span when the trace begins with the job.</summary>
    public ActivityContext Parent { get; }

    public V1.TraceContext Context { get; }

    public string TraceId => Parent.TraceId.ToHexString();

    /// <summary>The span above that of the job; empty: that is the root.</summary>
    public string ParentId => Context.Root ? "" : Parent.SpanId.ToHexString();

    public bool IsSampled => Parent.TraceFlags.HasFlag(ActivityTraceFlags.Recorded);

    /// <summary>The trace of a job; null when it was submitted to a controller that knew none.</summary>
    public static JobTrace? Of(JobRecord job)
    {
        if (job.Trace.IsEmpty)
        {
            return null;
        }

        var context = V1.TraceContext.Parser.ParseFrom(job.Trace.Span);
        return ActivityContext.TryParse(context.Traceparent, null, out var parent) ? new JobTrace(context, parent) : null;
    }

    /// <summary>What a job's record has of a submit: the submitter's trace, or one that begins here.</summary>
    /// <param name="context">What the submitter sent, if anything.</param>
    /// <param name="receivedAt">When.</param>
    /// <param name="roots">Decides whether a trace that begins here is sampled.</param>
    public static byte[] Begin(V1.TraceContext? context, DateTimeOffset receivedAt, RootRate roots)
    {
        var begins = context is null || !ActivityContext.TryParse(context.Traceparent, null, out _);
        if (begins)
        {
            // The header has to name a span; any will do.
            context = new V1.TraceContext { Traceparent = $"00-{ActivityTraceId.CreateRandom()}-{ActivitySpanId.CreateRandom()}-{(roots.Take() ? "01" : "00")}" };
        }

        context!.Root = begins;
        context.ReceivedAt = receivedAt.ToTimestamp();
        return context.ToByteArray();
    }

    /// <summary>The trace as an attempt goes on with it.</summary>
    public V1.TraceContext For(string clusterId, Fence fence) => new()
    {
        Traceparent = $"00-{TraceId}-{AttemptSpan(clusterId, fence)}-{(IsSampled ? "01" : "00")}",
        Tracestate = Context.Tracestate,
        Baggage = Context.Baggage,
    };

    public static string JobSpan(string clusterId, long uid) => SpanOf(clusterId, "job", (ulong)uid);

    public static string SubmitSpan(string clusterId, long uid) => SpanOf(clusterId, "submit", (ulong)uid);

    public static string QueueSpan(string clusterId, Fence fence) => SpanOf(clusterId, "queue", fence.Value);

    public static string PlacementSpan(string clusterId, Fence fence) => SpanOf(clusterId, "placement", fence.Value);

    public static string AttemptSpan(string clusterId, Fence fence) => SpanOf(clusterId, "attempt", fence.Value);

    private static string SpanOf(string clusterId, string what, ulong number)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{clusterId}/{what}/{number:x}"), hash);
        hash[0] |= 1; // an id of zeros is none
        return Convert.ToHexStringLower(hash[..8]);
    }
}
