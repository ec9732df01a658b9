namespace AppModel.Pages;

/// <summary>A trace in the list.</summary>
public sealed record TraceRow(string Id, string Name, string Service, DateTimeOffset Start, string Duration, int Spans, int Errors, string Services);

/// <summary>A span in the waterfall.</summary>
public sealed record SpanRow
{
    public required string Id { get; init; }

    public required string Name { get; init; }

    public required string Service { get; init; }

    public required string Kind { get; init; }

    public required string Duration { get; init; }

    /// <summary>How long after the trace's start it began.</summary>
    public required string Offset { get; init; }

    public int Depth { get; init; }

    /// <summary>Where the bar begins, of 1,000.</summary>
    public double Left { get; init; }

    /// <summary>How wide the bar is, of 1,000.</summary>
    public double Width { get; init; }

    public bool IsError { get; init; }

    public string Tone => IsError ? "tone-bad" : Kind is "server" or "consumer" ? "tone-ok" : Kind is "client" or "producer" ? "tone-wait" : "";
}

/// <summary>All about a span.</summary>
public sealed record SpanDetails(
    SpanRow Span,
    string Instance,
    string Scope,
    string Status,
    IReadOnlyList<KeyValuePair<string, string>> Attributes,
    IReadOnlyList<SpanEventRow> Events,
    IReadOnlyList<SpanLinkRow> Links);

/// <summary>Something that happened during a span.</summary>
public sealed record SpanEventRow(string Offset, string Name, IReadOnlyList<KeyValuePair<string, string>> Attributes);

/// <summary>A span that another has to do with; without an address when it is not here.</summary>
public sealed record SpanLinkRow(string TraceId, string SpanId, bool IsHere);

/// <summary>A structured log record.</summary>
public sealed record LogRow(DateTimeOffset At, string Service, string Level, string Tone, string Scope, string Body, string TraceId, string SpanId, IReadOnlyList<KeyValuePair<string, string>> Attributes);

/// <summary>A series of a metric, with its last values.</summary>
public sealed record SeriesRow(string Service, string Name, string Unit, string Kind, string Attributes, string Last, string Path);

/// <summary>One page of a list.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Count">How many pages there are.</param>
/// <param name="Found">How many rows there are.</param>
/// <param name="Query">What else the address has, without the page.</param>
public sealed record PageOf(int Number, int Count, int Found, string Query);
