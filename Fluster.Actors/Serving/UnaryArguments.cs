using System.Text;
using System.Text.Json;

namespace Fluster.Actors;

/// <summary>Arguments that come as JSON text: a list in the order of the parameters, or an object by their names.</summary>
internal static class UnaryArguments
{
    private static readonly JsonDocumentOptions s_limits = new() { MaxDepth = ActorJson.MaxDepth };

    /// <summary>Finds the method that they fit and puts them in its order. Null: there is no method of that name.</summary>
    /// <exception cref="ArgumentMismatchException">They are not JSON, or fit no method of that name.</exception>
    public static (int Number, int Sent)? Read(HostedActor actor, string method, string json, Payload payload)
    {
        using var document = Parse(json.Length == 0 ? "[]" : json);
        var sent = document.RootElement;
        if (sent.ValueKind == JsonValueKind.Array)
        {
            var count = sent.GetArrayLength();
            var number = actor.Dispatcher.Find(method, count);
            payload.SetJson(Encoding.UTF8.GetBytes(json.Length == 0 ? "[]" : json));
            return number is { } found ? (found, count) : null;
        }

        var names = sent.EnumerateObject().Select(property => property.Name).Distinct(StringComparer.Ordinal).ToList();
        if (actor.Dispatcher.Find(method, names) is not { } named)
        {
            return null;
        }

        var parameters = actor.Dispatcher.Methods[named].Parameters;
        Order(sent, parameters, payload);
        return (named, parameters.Count);
    }

    private static JsonDocument Parse(string json)
    {
        try
        {
            var document = JsonDocument.Parse(json, s_limits);
            if (document.RootElement.ValueKind is JsonValueKind.Array or JsonValueKind.Object)
            {
                return document;
            }

            document.Dispose();
        }
        catch (JsonException exception)
        {
            throw new ArgumentMismatchException($"The arguments are not JSON: {exception.Message}", exception);
        }

        throw new ArgumentMismatchException("The arguments must be a JSON array, in the order of the parameters, or a JSON object by their names.");
    }

    private static void Order(JsonElement sent, IReadOnlyList<string> parameters, Payload payload)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartArray();
            for (var i = 0; i < parameters.Count; i++)
            {
                if (sent.TryGetProperty(parameters[i], out var value))
                {
                    value.WriteTo(writer);
                }
                else
                {
                    payload.Absent |= 1UL << i;
                    writer.WriteNullValue();
                }
            }

            writer.WriteEndArray();
        }

        payload.SetJson(stream.GetBuffer().AsSpan(0, (int)stream.Length));
    }
}
