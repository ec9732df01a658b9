using System.Text.Json;
using System.Text.Json.Serialization;

namespace Fluster.Cluster;

/// <summary>How values travel between the submitter and a job: JSON with fields, by the declared type, never a type chosen by the sender.</summary>
internal static class PayloadJson
{
    public static JsonSerializerOptions Options { get; } = new(JsonSerializerOptions.Default)
    {
        IncludeFields = true,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    public static T Read<T>(ReadOnlySpan<byte> json) => JsonSerializer.Deserialize<T>(json, Options)!;
}
