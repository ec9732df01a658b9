using System.Diagnostics;
using System.Text;

namespace Fluster.Cluster;

/// <summary>The trace of whoever submits, for the job to go on with.</summary>
internal static class ClientTrace
{
    public static readonly ActivitySource Source = new("Fluster.Client");

    /// <summary>Of user code in jobs.</summary>
    private static readonly ActivitySource s_jobs = new("Fluster.Job");

    private static readonly Lazy<ActivityContext> s_given = new(static () =>
        ActivityContext.TryParse(FlusterEnvironment.Get(FlusterEnvironment.TraceParent), FlusterEnvironment.Get(FlusterEnvironment.TraceState), isRemote: true, out var given) ? given : default);

    /// <summary>What a span is below that has nothing above it in this process: the trace that this process was given as a job, if it was.</summary>
    public static ActivityContext Given => Activity.Current is null ? s_given.Value : default;

    /// <summary>Starts a span of the client; null when nobody listens.</summary>
    public static Activity? Start(string name, ActivityKind kind = ActivityKind.Client) => Source.HasListeners() ? Source.StartActivity(name, kind, Given) : null;

    /// <summary>The wait for a job: a part of whatever waits, else of the trace in which the job was submitted. Null when nobody listens.</summary>
    public static Activity? StartWait(JobId job, ActivityContext submitted)
    {
        if (!Source.HasListeners())
        {
            return null;
        }

        var activity = Source.StartActivity("wait", ActivityKind.Client, Activity.Current is not null ? default : submitted != default ? submitted : s_given.Value);
        activity?.SetTag("fluster.job_id", job.ToString());
        return activity;
    }

    /// <summary>The span of the user code of this process; null when there is no trace to go on with.</summary>
    public static Activity? StartJob(string name) => FlusterEnvironment.Get(FlusterEnvironment.TraceParent) is { } parent
        ? StartJob(name, parent, FlusterEnvironment.Get(FlusterEnvironment.TraceState), FlusterEnvironment.Get(FlusterEnvironment.Baggage))
        : null;

    /// <summary>The span of user code that goes on with the trace of whoever submitted, with what travels along.</summary>
    public static Activity StartJob(string name, string parent, string? state, string? baggage)
    {
        if (!ActivityContext.TryParse(parent, state, isRemote: true, out var given) || s_jobs.StartActivity(name, ActivityKind.Internal, given) is not { } activity)
        {
            // The jobs that this one submits belong to its trace whether or not somebody listens here.
            activity = new Activity(name).SetParentId(parent);
            activity.TraceStateString = state;
            activity.Start();
        }

        AddBaggage(activity, baggage);
        return activity;
    }

    /// <summary>The current activity as W3C headers; in a job's process without one, what the job itself was given. Null when there is neither.</summary>
    public static V1.TraceContext? Capture()
    {
        if (Activity.Current is { IdFormat: ActivityIdFormat.W3C, Id: { } id } activity)
        {
            return new V1.TraceContext { Traceparent = id, Tracestate = activity.TraceStateString ?? "", Baggage = Baggage(activity) };
        }

        return FlusterEnvironment.Get(FlusterEnvironment.TraceParent) is not { } parent ? null : new V1.TraceContext
        {
            Traceparent = parent,
            Tracestate = FlusterEnvironment.Get(FlusterEnvironment.TraceState) ?? "",
            Baggage = FlusterEnvironment.Get(FlusterEnvironment.Baggage) ?? "",
        };
    }

    private static void AddBaggage(Activity activity, string? baggage)
    {
        // As W3C writes it: key=value;properties,key=value. Backwards, for an activity has the last one first.
        foreach (var entry in (baggage ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Reverse())
        {
            if (entry.Split(';')[0].Split('=', 2, StringSplitOptions.TrimEntries) is [{ Length: > 0 } key, var value])
            {
                activity.AddBaggage(Uri.UnescapeDataString(key), Uri.UnescapeDataString(value));
            }
        }
    }

    private static string Baggage(Activity activity)
    {
        var text = new StringBuilder();
        foreach (var (key, value) in activity.Baggage)
        {
            text.Append(text.Length > 0 ? "," : "").Append(Uri.EscapeDataString(key)).Append('=').Append(Uri.EscapeDataString(value ?? ""));
        }

        return text.ToString();
    }
}
