using System.Diagnostics;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;

namespace Fluster.Cluster;

/// <summary>Activities as spans.</summary>
internal static class SpanWire
{
    /// <summary>An activity that has ended, or goes on.</summary>
    public static V1.Span ToWire(this Activity activity, bool ended)
    {
        var span = new V1.Span
        {
            TraceId = activity.TraceId.ToHexString(),
            SpanId = activity.SpanId.ToHexString(),
            ParentId = activity.ParentSpanId == default ? "" : activity.ParentSpanId.ToHexString(),
            Source = activity.Source.Name,
            Name = SpanLimits.Cut(activity.DisplayName, SpanLimits.LongestName),
            Kind = (V1.SpanKind)((int)activity.Kind + 1),
            Start = Timestamp.FromDateTime(activity.StartTimeUtc),
            End = ended ? Timestamp.FromDateTime(activity.StartTimeUtc + activity.Duration) : null,
            Status = (V1.SpanStatus)(int)activity.Status,
            StatusMessage = SpanLimits.Cut(activity.StatusDescription ?? "", SpanLimits.LongestValue),
        };
        Add(span.Attributes, activity.EnumerateTagObjects());
        foreach (ref readonly var link in activity.EnumerateLinks())
        {
            if (span.Links.Count < SpanLimits.MostLinks)
            {
                span.Links.Add(new V1.SpanLink { TraceId = link.Context.TraceId.ToHexString(), SpanId = link.Context.SpanId.ToHexString() });
            }
        }

        foreach (ref readonly var activityEvent in activity.EnumerateEvents())
        {
            if (span.Events.Count < SpanLimits.MostEvents)
            {
                var spanEvent = new V1.SpanEvent { Name = SpanLimits.Cut(activityEvent.Name, SpanLimits.LongestName), Time = activityEvent.Timestamp.ToTimestamp() };
                Add(spanEvent.Attributes, activityEvent.EnumerateTagObjects());
                span.Events.Add(spanEvent);
            }
        }

        return span;
    }

    private static void Add(MapField<string, string> attributes, Activity.Enumerator<KeyValuePair<string, object?>> tags)
    {
        foreach (ref readonly var tag in tags)
        {
            if (attributes.Count < SpanLimits.MostAttributes && tag.Value is not null && tag.Key.Length is > 0 and <= SpanLimits.LongestName)
            {
                attributes[tag.Key] = SpanLimits.Cut(Convert.ToString(tag.Value, System.Globalization.CultureInfo.InvariantCulture) ?? "", SpanLimits.LongestValue);
            }
        }
    }
}
