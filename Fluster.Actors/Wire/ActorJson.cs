using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Fluster.Actors;

/// <summary>How arguments and results are written as JSON. The types come from the method's signature, never from the sender.</summary>
internal static class ActorJson
{
    /// <summary>How deep values may be nested.</summary>
    public const int MaxDepth = 64;

    private static readonly GeneratedTypes s_generated = new();

    /// <summary>Fields travel too; names are read in any case; enums by name or number; NaN and the infinities by name.</summary>
    public static JsonSerializerOptions Options { get; } = Create();

    /// <summary>Descriptions of types that were made when the program was built; they come before those made by reflection.</summary>
    public static void Add(IJsonTypeInfoResolver types) => s_generated.Add(types);

    private static JsonSerializerOptions Create()
    {
        var options = new JsonSerializerOptions
        {
            IncludeFields = true,
            PropertyNameCaseInsensitive = true,
            NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
            MaxDepth = MaxDepth,
            Converters = { new JsonStringEnumConverter() },
            TypeInfoResolver = JsonTypeInfoResolver.Combine(s_generated, new DefaultJsonTypeInfoResolver()),
        };
        options.MakeReadOnly();
        return options;
    }

    // Options are fixed at their first use, and assemblies with generated descriptions may be loaded after that.
    private sealed class GeneratedTypes : IJsonTypeInfoResolver
    {
        private readonly Lock _adding = new();
        private volatile IJsonTypeInfoResolver[] _all = [];

        public void Add(IJsonTypeInfoResolver types)
        {
            lock (_adding)
            {
                _all = [.. _all, types];
            }
        }

        public JsonTypeInfo? GetTypeInfo(Type type, JsonSerializerOptions options)
        {
            foreach (var one in _all)
            {
                if (one.GetTypeInfo(type, options) is { } found)
                {
                    return found;
                }
            }

            return null;
        }
    }
}
