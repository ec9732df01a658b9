namespace Aspire.Hosting.Dashboard;

/// <summary>Reads one metric: of a gauge and a sum the number, of a histogram the mean.</summary>
internal static class MetricReader
{
    private const int Gauge = 5;
    private const int Sum = 7;
    private const int Histogram = 9;

    public static void Read(ReadOnlySpan<byte> message, TelemetrySource source, string scope, List<MetricPoint> points)
    {
        var (name, unit) = ("", "");
        var reader = new WireReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    name = reader.Text();
                    break;
                case 3:
                    unit = reader.Text();
                    break;
                case Gauge or Sum or Histogram:
                    var kind = reader.Field;
                    var data = new WireReader(reader.Bytes());
                    while (data.Next())
                    {
                        if (data.Field == 1)
                        {
                            points.Add(Point(data.Bytes(), kind, source, scope, name, unit));
                        }
                        else
                        {
                            data.Skip();
                        }
                    }

                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
    }

    private static MetricPoint Point(ReadOnlySpan<byte> message, int kind, TelemetrySource source, string scope, string name, string unit)
    {
        var (at, value, count) = (0UL, 0d, 0UL);
        var attributes = new List<KeyValuePair<string, string>>();
        var reader = new WireReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 3:
                    at = reader.Fixed64();
                    break;
                case 4 when kind == Histogram:
                    count = reader.Fixed64();
                    break;
                case 4 or 5:
                    value = reader.Double();
                    break;
                case 6 when kind != Histogram:
                    value = (long)reader.Fixed64();
                    break;
                case 7 when kind != Histogram:
                case 9 when kind == Histogram:
                    OtlpReader.Attribute(reader.Bytes(), attributes);
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        return new MetricPoint(
            source,
            scope,
            name,
            unit,
            kind switch { Gauge => "gauge", Sum => "sum", _ => "histogram" },
            string.Join(", ", attributes.Select(attribute => $"{attribute.Key}={attribute.Value}").Order(StringComparer.Ordinal)),
            at,
            kind == Histogram && count > 0 ? value / count : value,
            count);
    }
}
