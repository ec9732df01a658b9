using System.Buffers;
using Google.Protobuf.Collections;

namespace Fluster.Cluster;

/// <summary>How large a span may be. What is longer is cut: a trace is for looking at, and nobody's memory is to be filled by one.</summary>
internal static class SpanLimits
{
    public const int MostAttributes = 32;
    public const int MostLinks = 16;
    public const int MostEvents = 16;

    /// <summary>Characters of names and keys.</summary>
    public const int LongestName = 256;

    /// <summary>Characters of values and messages.</summary>
    public const int LongestValue = 1_024;

    private static readonly SearchValues<char> s_digits = SearchValues.Create("0123456789abcdef");

    private const int TraceIdLength = 32;
    private const int SpanIdLength = 16;

    /// <summary>Whether a span from outside can be kept: its ids are ids and it has a beginning.</summary>
    public static bool IsValid(V1.Span span) =>
        IsId(span.TraceId, TraceIdLength) && IsId(span.SpanId, SpanIdLength) && (span.ParentId.Length == 0 || IsId(span.ParentId, SpanIdLength)) && span.ParentId != span.SpanId
        && span.Start is not null && (span.End is null || span.End.Seconds >= span.Start.Seconds - 1);

    /// <summary>Cuts what is too long.</summary>
    public static V1.Span Cut(V1.Span span)
    {
        span.Source = Cut(span.Source, LongestName);
        span.Name = Cut(span.Name, LongestName);
        span.StatusMessage = Cut(span.StatusMessage, LongestValue);
        Cut(span.Attributes);
        Cut(span.Links, MostLinks);
        Cut(span.Events, MostEvents);
        foreach (var spanEvent in span.Events)
        {
            spanEvent.Name = Cut(spanEvent.Name, LongestName);
            Cut(spanEvent.Attributes);
        }

        for (var index = span.Links.Count - 1; index >= 0; index--)
        {
            if (!IsId(span.Links[index].TraceId, TraceIdLength) || !IsId(span.Links[index].SpanId, SpanIdLength))
            {
                span.Links.RemoveAt(index);
            }
        }

        return span;
    }

    public static string Cut(string text, int longest) =>
        text.Length <= longest ? text : string.Concat(text.AsSpan(0, char.IsHighSurrogate(text[longest - 2]) ? longest - 2 : longest - 1), "…");

    private static bool IsId(string text, int length) => text.Length == length && !text.AsSpan().ContainsAnyExcept(s_digits) && text.AsSpan().IndexOfAnyExcept('0') >= 0;

    private static void Cut(MapField<string, string> attributes)
    {
        foreach (var (key, value) in attributes.ToList().Index().Select(entry => (entry.Item.Key, Value: entry.Index < MostAttributes && entry.Item.Key.Length <= LongestName ? entry.Item.Value : null)))
        {
            if (value is null)
            {
                attributes.Remove(key);
            }
            else if (value.Length > LongestValue)
            {
                attributes[key] = Cut(value, LongestValue);
            }
        }
    }

    private static void Cut<T>(RepeatedField<T> items, int most)
    {
        while (items.Count > most)
        {
            items.RemoveAt(items.Count - 1);
        }
    }
}
