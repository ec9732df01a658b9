using System.Text.Json;
using System.Text.Json.Serialization;

namespace Fluster.Actors;

/// <summary>How arguments and results are written as JSON. The types come from the method's signature, never from the sender.</summary>
internal static class ActorJson
{
    /// <summary>Fields travel too; names are read in any case; enums by name or number; NaN and the infinities by name.</summary>
    public static JsonSerializerOptions Options { get; } = new()
    {
        IncludeFields = true,
        PropertyNameCaseInsensitive = true,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new JsonStringEnumConverter() },
    };
}
