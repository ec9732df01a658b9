using System.Globalization;
using System.Text;

namespace Aspire.Hosting.Dashboard;

/// <summary>
/// Reads OpenTelemetry's export requests, by the field numbers of its published protocol (opentelemetry/proto, v1). Fields that no page shows are
/// skipped; lists and texts are cut where they would fill the memory.
/// </summary>
internal static class OtlpReader
{
    private const int MostAttributes = 64;
    private const int MostEvents = 64;
    private const int LongestText = 8_192;
    private const int DeepestValue = 8;

    private static readonly string[] s_kinds = ["internal", "internal", "server", "client", "producer", "consumer"];

    /// <summary>What is done with something of a resource and a scope.</summary>
    private delegate void Item(ReadOnlySpan<byte> message, TelemetrySource source, string scope);

    /// <exception cref="InvalidDataException">The request is none.</exception>
    public static IReadOnlyList<SpanRecord> Spans(ReadOnlySpan<byte> request)
    {
        var spans = new List<SpanRecord>();
        Each(request, (message, source, scope) => spans.Add(Span(message, source, scope)));
        return spans;
    }

    /// <exception cref="InvalidDataException">The request is none.</exception>
    public static IReadOnlyList<LogRecord> Logs(ReadOnlySpan<byte> request)
    {
        var logs = new List<LogRecord>();
        Each(request, (message, source, scope) => logs.Add(Log(message, source, scope)));
        return logs;
    }

    /// <exception cref="InvalidDataException">The request is none.</exception>
    public static IReadOnlyList<MetricPoint> Metrics(ReadOnlySpan<byte> request)
    {
        var points = new List<MetricPoint>();
        Each(request, (message, source, scope) => MetricReader.Read(message, source, scope, points));
        return points;
    }

    /// <summary>The attributes in one field of a message, appended to those before.</summary>
    internal static void Attribute(ReadOnlySpan<byte> message, List<KeyValuePair<string, string>> attributes)
    {
        var reader = new WireReader(message);
        var (key, value) = ("", "");
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    key = reader.Text();
                    break;
                case 2:
                    value = Value(reader.Bytes(), depth: 0);
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        if (attributes.Count < MostAttributes)
        {
            attributes.Add(new(key, value));
        }
    }

    // ExportRequest { repeated ResourceX = 1 }; ResourceX { Resource = 1; repeated ScopeX = 2 }; ScopeX { Scope = 1; repeated X = 2 }: alike for all three.
    private static void Each(ReadOnlySpan<byte> request, Item item)
    {
        var reader = new WireReader(request);
        while (reader.Next())
        {
            if (reader.Field != 1)
            {
                reader.Skip();
                continue;
            }

            var perResource = reader.Bytes();
            var source = Source(First(perResource));
            var scopes = new WireReader(perResource);
            while (scopes.Next())
            {
                if (scopes.Field != 2)
                {
                    scopes.Skip();
                    continue;
                }

                var perScope = scopes.Bytes();
                var scope = ScopeName(First(perScope));
                var items = new WireReader(perScope);
                while (items.Next())
                {
                    if (items.Field == 2)
                    {
                        item(items.Bytes(), source, scope);
                    }
                    else
                    {
                        items.Skip();
                    }
                }
            }
        }
    }

    /// <summary>Field 1, which may come after others.</summary>
    private static ReadOnlySpan<byte> First(ReadOnlySpan<byte> message)
    {
        var reader = new WireReader(message);
        while (reader.Next())
        {
            if (reader.Field == 1)
            {
                return reader.Bytes();
            }

            reader.Skip();
        }

        return default;
    }

    private static TelemetrySource Source(ReadOnlySpan<byte> resource)
    {
        var attributes = new List<KeyValuePair<string, string>>();
        var reader = new WireReader(resource);
        while (reader.Next())
        {
            if (reader.Field == 1)
            {
                Attribute(reader.Bytes(), attributes);
            }
            else
            {
                reader.Skip();
            }
        }

        var service = attributes.Find(attribute => attribute.Key == "service.name").Value;
        return service is null ? TelemetrySource.Unknown : new TelemetrySource(service, attributes.Find(attribute => attribute.Key == "service.instance.id").Value ?? "");
    }

    private static string ScopeName(ReadOnlySpan<byte> scope) => Encoding.UTF8.GetString(First(scope));

    private static SpanRecord Span(ReadOnlySpan<byte> message, TelemetrySource source, string scope)
    {
        var span = new SpanRecord { Source = source, Scope = scope };
        var (attributes, events, links) = (new List<KeyValuePair<string, string>>(), new List<SpanEvent>(), new List<SpanLink>());
        var reader = new WireReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    span = span with { TraceId = reader.Hex() };
                    break;
                case 2:
                    span = span with { SpanId = reader.Hex() };
                    break;
                case 4:
                    span = span with { ParentId = reader.Hex() };
                    break;
                case 5:
                    span = span with { Name = Cut(reader.Text()) };
                    break;
                case 6:
                    span = span with { Kind = reader.Varint() is var kind && kind < (ulong)s_kinds.Length ? s_kinds[kind] : s_kinds[0] };
                    break;
                case 7:
                    span = span with { Start = reader.Fixed64() };
                    break;
                case 8:
                    span = span with { End = reader.Fixed64() };
                    break;
                case 9:
                    Attribute(reader.Bytes(), attributes);
                    break;
                case 11 when events.Count < MostEvents:
                    events.Add(Event(reader.Bytes()));
                    break;
                case 13 when links.Count < MostEvents:
                    links.Add(Link(reader.Bytes()));
                    break;
                case 15:
                    var (isError, text) = Status(reader.Bytes());
                    span = span with { IsError = isError, StatusMessage = text };
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        return span with { Name = Readable(span.Name, attributes), Attributes = attributes, Events = events, Links = links };
    }

    /// <summary>ASP.NET Core calls all its spans the same; what was asked for says more.</summary>
    private static string Readable(string name, List<KeyValuePair<string, string>> attributes)
    {
        if (name != "Microsoft.AspNetCore.Hosting.HttpRequestIn")
        {
            return name;
        }

        return Of("http.request.method") is { } method && (Of("http.route") ?? Of("url.path")) is { } target ? $"{method} {target}" : name;

        string? Of(string key) => attributes.Find(attribute => attribute.Key == key).Value;
    }

    private static SpanEvent Event(ReadOnlySpan<byte> message)
    {
        var (at, name, attributes) = (0UL, "", new List<KeyValuePair<string, string>>());
        var reader = new WireReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    at = reader.Fixed64();
                    break;
                case 2:
                    name = Cut(reader.Text());
                    break;
                case 3:
                    Attribute(reader.Bytes(), attributes);
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        return new SpanEvent(at, name, attributes);
    }

    private static SpanLink Link(ReadOnlySpan<byte> message)
    {
        var (trace, span) = ("", "");
        var reader = new WireReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    trace = reader.Hex();
                    break;
                case 2:
                    span = reader.Hex();
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        return new SpanLink(trace, span);
    }

    private static (bool IsError, string Message) Status(ReadOnlySpan<byte> message)
    {
        var (isError, text) = (false, "");
        var reader = new WireReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 2:
                    text = Cut(reader.Text());
                    break;
                case 3:
                    isError = reader.Varint() == 2;
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        return (isError, text);
    }

    private static LogRecord Log(ReadOnlySpan<byte> message, TelemetrySource source, string scope)
    {
        var log = new LogRecord { Source = source, Scope = scope };
        var attributes = new List<KeyValuePair<string, string>>();
        var observed = 0UL;
        var reader = new WireReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    log = log with { At = reader.Fixed64() };
                    break;
                case 2:
                    log = log with { Severity = (int)Math.Min(reader.Varint(), 24) };
                    break;
                case 5:
                    log = log with { Body = Value(reader.Bytes(), depth: 0) };
                    break;
                case 6:
                    Attribute(reader.Bytes(), attributes);
                    break;
                case 9:
                    log = log with { TraceId = reader.Hex() };
                    break;
                case 10:
                    log = log with { SpanId = reader.Hex() };
                    break;
                case 11:
                    observed = reader.Fixed64();
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        return log with { At = log.At == 0 ? observed : log.At, Attributes = attributes };
    }

    /// <summary>A value of any kind, as people read it.</summary>
    private static string Value(ReadOnlySpan<byte> message, int depth)
    {
        var reader = new WireReader(message);
        var text = "";
        while (reader.Next())
        {
            text = reader.Field switch
            {
                1 => Cut(reader.Text()),
                2 => reader.Varint() == 0 ? "false" : "true",
                3 => ((long)reader.Varint()).ToString(CultureInfo.InvariantCulture),
                4 => reader.Double().ToString("R", CultureInfo.InvariantCulture),
                5 => depth < DeepestValue ? $"[{List(reader.Bytes(), depth)}]" : Deeper(ref reader),
                6 => depth < DeepestValue ? $"{{{Map(reader.Bytes())}}}" : Deeper(ref reader),
                7 => Cut(Convert.ToBase64String(reader.Bytes())),
                _ => Deeper(ref reader),
            };
        }

        return text;
    }

    private static string Deeper(ref WireReader reader)
    {
        reader.Skip();
        return "…";
    }

    private static string List(ReadOnlySpan<byte> message, int depth)
    {
        var values = new List<string>();
        var reader = new WireReader(message);
        while (reader.Next())
        {
            if (reader.Field == 1 && values.Count < MostAttributes)
            {
                values.Add(Value(reader.Bytes(), depth + 1));
            }
            else
            {
                reader.Skip();
            }
        }

        return Cut(string.Join(", ", values));
    }

    private static string Map(ReadOnlySpan<byte> message)
    {
        var pairs = new List<string>();
        var reader = new WireReader(message);
        while (reader.Next())
        {
            if (reader.Field == 1 && pairs.Count < MostAttributes)
            {
                var pair = new WireReader(reader.Bytes());
                var key = pair.Next() && pair.Field == 1 ? pair.Text() : "";
                pairs.Add(key); // values within values are not shown
            }
            else
            {
                reader.Skip();
            }
        }

        return Cut(string.Join(", ", pairs));
    }

    private static string Cut(string text) => text.Length > LongestText ? text[..LongestText] + "…" : text;
}
