using System.Text.Json;
using System.Text.Json.Serialization;

namespace Fluster.Cluster;

/// <summary>
/// How values travel between the submitter and a job: JSON, written and read by the declared type, never by one that the sender chose.
/// The commonest scalars are dealt with here, because the serializer costs a starting job milliseconds.
/// </summary>
internal static class PayloadJson
{
    /// <summary>The deepest nesting that travels.</summary>
    public const int MaxDepth = 128;

    private static JsonSerializerOptions? s_options;

    private static JsonSerializerOptions Options => s_options ??= new JsonSerializerOptions(JsonSerializerOptions.Default)
    {
        IncludeFields = true,
        MaxDepth = MaxDepth,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new FieldsConverter() },
    };

    public static T Read<T>(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
        reader.Read();
        return (T)Read(ref reader, typeof(T))!;
    }

    /// <summary>Reads the value that the reader stands on.</summary>
    /// <exception cref="JsonException">It is not a value of that type.</exception>
    public static object? Read(ref Utf8JsonReader reader, Type type)
    {
        if (type.IsEnum)
        {
            return JsonSerializer.Deserialize(ref reader, type, Options);
        }

        if (reader.TokenType == JsonTokenType.Number)
        {
            switch (Type.GetTypeCode(type))
            {
                case TypeCode.Int32:
                    return reader.GetInt32();
                case TypeCode.Int64:
                    return reader.GetInt64();
                case TypeCode.Double:
                    return reader.GetDouble();
            }
        }

        return reader.TokenType switch
        {
            JsonTokenType.String when type == typeof(string) => reader.GetString(),
            JsonTokenType.True or JsonTokenType.False when type == typeof(bool) => reader.GetBoolean(),
            JsonTokenType.Null when !type.IsValueType => null,
            _ => JsonSerializer.Deserialize(ref reader, type, Options),
        };
    }

    public static byte[] Write(object? value, Type type)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { MaxDepth = MaxDepth }))
        {
            Write(writer, value, type);
        }

        return buffer.ToArray();
    }

    /// <exception cref="NotSupportedException">A part of the value cannot be written.</exception>
    public static void Write(Utf8JsonWriter writer, object? value, Type type)
    {
        switch (value)
        {
            case null:
                writer.WriteNullValue();
                break;
            case string text when type == typeof(string):
                writer.WriteStringValue(text);
                break;
            case int number when type == typeof(int):
                writer.WriteNumberValue(number);
                break;
            case long number when type == typeof(long):
                writer.WriteNumberValue(number);
                break;
            case bool flag when type == typeof(bool):
                writer.WriteBooleanValue(flag);
                break;
            default:
                JsonSerializer.Serialize(writer, value, type, Options);
                break;
        }
    }
}
