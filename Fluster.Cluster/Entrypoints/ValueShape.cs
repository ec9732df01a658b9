using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Collections.ObjectModel;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Fluster.Cluster;

/// <summary>How values of a type travel.</summary>
internal enum TravelKind
{
    /// <summary>One JSON value, read back exactly.</summary>
    Scalar,

    /// <summary>An array of elements.</summary>
    Sequence,

    /// <summary>An object of keys and values.</summary>
    Map,

    /// <summary>An object of all the type's fields, private ones too; read back without running a constructor.</summary>
    Fields,

    /// <summary>As the type's own JSON attributes say.</summary>
    OwnContract,

    /// <summary>Not at all.</summary>
    Refused,
}

/// <summary>How values of one type travel, decided once.</summary>
/// <param name="Kind">How.</param>
/// <param name="Element">The type of a sequence's elements or a map's values.</param>
/// <param name="Key">The type of a map's keys.</param>
/// <param name="Reason">Why a refused type is refused, as the end of a sentence.</param>
internal sealed record ValueShape(TravelKind Kind, Type? Element = null, Type? Key = null, string? Reason = null)
{
    private static readonly ConcurrentDictionary<Type, ValueShape> s_shapes = new();

    private static readonly FrozenSet<Type> s_scalars = new[]
    {
        typeof(bool), typeof(byte), typeof(sbyte), typeof(short), typeof(ushort), typeof(int), typeof(uint), typeof(long), typeof(ulong), typeof(Int128), typeof(UInt128),
        typeof(Half), typeof(float), typeof(double), typeof(decimal), typeof(char), typeof(string), typeof(Guid), typeof(DateTime), typeof(DateTimeOffset), typeof(TimeSpan),
        typeof(DateOnly), typeof(TimeOnly), typeof(Uri), typeof(Version), typeof(byte[]), typeof(Memory<byte>), typeof(ReadOnlyMemory<byte>),
        typeof(JsonElement), typeof(JsonDocument), typeof(JsonNode), typeof(JsonObject), typeof(JsonArray), typeof(JsonValue),
    }.ToFrozenSet();

    // What System.Text.Json reads back in the same order. Stacks come back upside down and are not here.
    private static readonly FrozenSet<Type> s_sequences = new[]
    {
        typeof(List<>), typeof(HashSet<>), typeof(SortedSet<>), typeof(Queue<>), typeof(LinkedList<>), typeof(Collection<>), typeof(ObservableCollection<>), typeof(ConcurrentQueue<>),
        typeof(ImmutableArray<>), typeof(ImmutableList<>), typeof(ImmutableHashSet<>), typeof(ImmutableSortedSet<>), typeof(ImmutableQueue<>), typeof(Memory<>), typeof(ReadOnlyMemory<>),
        typeof(IEnumerable<>), typeof(ICollection<>), typeof(IList<>), typeof(IReadOnlyCollection<>), typeof(IReadOnlyList<>), typeof(ISet<>),
    }.ToFrozenSet();

    private static readonly FrozenSet<Type> s_maps = new[]
    {
        typeof(Dictionary<,>), typeof(SortedDictionary<,>), typeof(ConcurrentDictionary<,>), typeof(ImmutableDictionary<,>), typeof(ImmutableSortedDictionary<,>),
        typeof(IDictionary<,>), typeof(IReadOnlyDictionary<,>),
    }.ToFrozenSet();

    // Attributes that only rename or leave out; every other one means that the type knows best how it is written.
    private static readonly FrozenSet<Type> s_plainAttributes = new[]
    {
        typeof(JsonIgnoreAttribute), typeof(JsonIncludeAttribute), typeof(JsonPropertyNameAttribute), typeof(JsonPropertyOrderAttribute), typeof(JsonRequiredAttribute), typeof(JsonConstructorAttribute),
    }.ToFrozenSet();

    public static ValueShape Of(Type type) => s_shapes.GetOrAdd(type, static key => Decide(key));

    private static ValueShape Decide(Type type)
    {
        if (Nullable.GetUnderlyingType(type) is { } underlying)
        {
            return Of(underlying);
        }

        if (s_scalars.Contains(type) || type.IsEnum)
        {
            return new ValueShape(TravelKind.Scalar);
        }

        if (RefusedTypes.ReasonFor(type) is { } reason)
        {
            return new ValueShape(TravelKind.Refused, Reason: reason);
        }

        if (type.IsArray)
        {
            return type.IsSZArray
                ? new ValueShape(TravelKind.Sequence, type.GetElementType())
                : new ValueShape(TravelKind.Refused, Reason: "JSON has no arrays of several dimensions; use an array of arrays");
        }

        var definition = type.IsGenericType ? type.GetGenericTypeDefinition() : type;
        if (s_sequences.Contains(definition))
        {
            return new ValueShape(TravelKind.Sequence, type.GetGenericArguments()[0]);
        }

        if (s_maps.Contains(definition))
        {
            var arguments = type.GetGenericArguments();
            return Of(arguments[0]).Kind == TravelKind.Scalar && arguments[0] != typeof(byte[])
                ? new ValueShape(TravelKind.Map, arguments[1], arguments[0])
                : new ValueShape(TravelKind.Refused, Reason: $"its keys are {TypeNames.Of(arguments[0])}, and JSON's keys are text, numbers and the like");
        }

        if (HasOwnContract(type))
        {
            return new ValueShape(TravelKind.OwnContract);
        }

        return RefusedTypes.ReasonForFields(type) is { } lost ? new ValueShape(TravelKind.Refused, Reason: lost) : new ValueShape(TravelKind.Fields);
    }

    private static bool HasOwnContract(Type type) =>
        !RefusedTypes.IsFramework(type)
        && type.GetMembers(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)
            .Prepend(type)
            .SelectMany(member => member.GetCustomAttributes<JsonAttribute>(inherit: true))
            .Any(attribute => !s_plainAttributes.Contains(attribute.GetType()));
}
