using System.Text;
using System.Text.Json;

namespace Fluster.Cli;

/// <summary>Arguments as somebody types them.</summary>
internal static class TypedArguments
{
    /// <summary>One JSON array or object as it is; else each word as JSON, or as text where it is none.</summary>
    public static string ToJson(IReadOnlyList<string> words)
    {
        if (words is [var only] && only.TrimStart() is ['[' or '{', ..])
        {
            return only;
        }

        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartArray();
            foreach (var word in words)
            {
                if (IsJson(word))
                {
                    writer.WriteRawValue(word);
                }
                else
                {
                    writer.WriteStringValue(word);
                }
            }

            writer.WriteEndArray();
        }

        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length);
    }

    private static bool IsJson(string word)
    {
        try
        {
            using var document = JsonDocument.Parse(word);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
