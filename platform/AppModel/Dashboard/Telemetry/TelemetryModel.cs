namespace Aspire.Hosting.Dashboard;

/// <summary>Who sent it: the service's name, and which of its processes.</summary>
internal sealed record TelemetrySource(string Service, string Instance)
{
    public static TelemetrySource Unknown { get; } = new("unknown", "");
}

/// <summary>A span of a trace. Times are nanoseconds since 1970.</summary>
internal sealed record SpanRecord
{
    public required TelemetrySource Source { get; init; }

    public string Scope { get; init; } = "";

    public string TraceId { get; init; } = "";

    public string SpanId { get; init; } = "";

    /// <summary>Empty at a root.</summary>
    public string ParentId { get; init; } = "";

    public string Name { get; init; } = "";

    public string Kind { get; init; } = "internal";

    public ulong Start { get; init; }

    public ulong End { get; init; }

    public IReadOnlyList<KeyValuePair<string, string>> Attributes { get; init; } = [];

    public IReadOnlyList<SpanEvent> Events { get; init; } = [];

    public IReadOnlyList<SpanLink> Links { get; init; } = [];

    public bool IsError { get; init; }

    public string StatusMessage { get; init; } = "";
}

/// <summary>Something that happened during a span.</summary>
internal sealed record SpanEvent(ulong At, string Name, IReadOnlyList<KeyValuePair<string, string>> Attributes);

/// <summary>Another span that a span has to do with.</summary>
internal sealed record SpanLink(string TraceId, string SpanId);

/// <summary>A structured log record.</summary>
internal sealed record LogRecord
{
    public required TelemetrySource Source { get; init; }

    /// <summary>The logger's category.</summary>
    public string Scope { get; init; } = "";

    public ulong At { get; init; }

    /// <summary>1 to 24: four each for trace, debug, information, warning, error and critical; 0 for unknown.</summary>
    public int Severity { get; init; }

    public string Body { get; init; } = "";

    public string TraceId { get; init; } = "";

    public string SpanId { get; init; } = "";

    public IReadOnlyList<KeyValuePair<string, string>> Attributes { get; init; } = [];
}

/// <summary>A value of a metric. A histogram's is its mean, and <see cref="Count"/> says of how many.</summary>
internal sealed record MetricPoint(TelemetrySource Source, string Scope, string Name, string Unit, string Kind, string Attributes, ulong At, double Value, ulong Count);

/// <summary>The kinds of telemetry, as their paths name them.</summary>
internal enum Signal : byte
{
    Traces = 1,
    Logs = 2,
    Metrics = 3,
}
