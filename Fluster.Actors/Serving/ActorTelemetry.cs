using System.Diagnostics;

namespace Fluster.Actors;

/// <summary>The spans of calls. None are made where nobody listens.</summary>
internal static class ActorTelemetry
{
    private static readonly ActivitySource s_source = new("Fluster.Actors");

    /// <summary>Whether anybody wants spans, or a span is to be continued over there.</summary>
    public static bool IsOn => s_source.HasListeners() || Activity.Current is not null;

    public static Activity? StartCalling(string actor, string method)
    {
        if (!s_source.HasListeners())
        {
            return null;
        }

        var activity = s_source.StartActivity($"{actor}.{method}", ActivityKind.Client);
        activity?.SetTag("fluster.actor", actor);
        activity?.SetTag("fluster.method", method);
        return activity;
    }

    public static Activity? StartServing(ActorServerCall call)
    {
        if (!s_source.HasListeners())
        {
            return null;
        }

        var activity = s_source.StartActivity(call.Display, ActivityKind.Server, call.Trace);
        activity?.SetTag("fluster.actor", call.Actor.Name);
        activity?.SetTag("fluster.method", call.Method.Name);
        return activity;
    }

    /// <summary>Writes into a caller's span why its call failed. Always false: for the filter of a catch.</summary>
    public static bool Mark(Activity? activity, Exception exception)
    {
        activity?.SetStatus(ActivityStatusCode.Error, exception.Message);
        return false;
    }

    public static void End(Activity? activity, CallFailure? failure)
    {
        if (activity is null)
        {
            return;
        }

        if (failure is not null)
        {
            activity.SetStatus(ActivityStatusCode.Error, failure.Message);
        }

        activity.Dispose();
    }
}
