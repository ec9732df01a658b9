using System.Diagnostics;
using System.Text;

namespace Fluster.Cluster;

/// <summary>The trace of whoever submits, for the job to go on with.</summary>
internal static class ClientTrace
{
    public static readonly ActivitySource Source = new("Fluster.Client");

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

    /// <summary>An activity that goes on with the trace of whoever submitted, with what travels along.</summary>
    public static Activity Continue(string name, string traceParent, string? traceState, string? baggage)
    {
        var activity = new Activity(name).SetParentId(traceParent);
        activity.TraceStateString = traceState;

        // As W3C writes it: key=value;properties,key=value. Backwards, for an activity has the last one first.
        foreach (var entry in (baggage ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Reverse())
        {
            if (entry.Split(';')[0].Split('=', 2, StringSplitOptions.TrimEntries) is [{ Length: > 0 } key, var value])
            {
                activity.AddBaggage(Uri.UnescapeDataString(key), Uri.UnescapeDataString(value));
            }
        }

        return activity.Start();
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
