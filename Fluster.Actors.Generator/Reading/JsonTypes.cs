using Microsoft.CodeAnalysis;

namespace Fluster.Actors.Generator;

/// <summary>
/// Describes types to the JSON serializer as it would describe them to itself at run time. What is not sure to come out the same is left to
/// it: types with attributes of the serializer, collections beyond the usual ones, types of the framework.
/// </summary>
internal sealed class JsonTypes(Compilation compilation, CancellationToken cancellationToken)
{
    private readonly SortedDictionary<string, JsonTypeModel?> _all = new(StringComparer.Ordinal); // null: left to the serializer

    /// <summary>Those that are described, in the order of their names.</summary>
    public IEnumerable<JsonTypeModel> All => _all.Values.OfType<JsonTypeModel>();

    /// <summary>Adds a type and those that it is made of.</summary>
    public void Add(ITypeSymbol type)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (!Naming.CanName(compilation, type))
        {
            return;
        }

        var name = TypeNames.Plain(type);
        if (_all.ContainsKey(name))
        {
            return;
        }

        _all[name] = null; // A type may be made of itself.
        _all[name] = Describe(type, name);
    }

    private JsonTypeModel? Describe(ITypeSymbol type, string name)
    {
        if (Converter(type) is { } converter)
        {
            return new JsonTypeModel(name, JsonKind.Value, converter, Object: null);
        }

        return type switch
        {
            IArrayTypeSymbol { IsSZArray: true } array => Of(name, JsonKind.Array, array.ElementType),
            INamedTypeSymbol { OriginalDefinition.SpecialType: SpecialType.System_Nullable_T } nullable => Of(name, JsonKind.Nullable, nullable.TypeArguments[0]),
            INamedTypeSymbol { TypeKind: TypeKind.Enum } => JsonShape.HasAttributes(type) ? null : new JsonTypeModel(name, JsonKind.Enum, "", Object: null),
            INamedTypeSymbol { TypeArguments: [var element] } when TypeNames.Is(type, "System.Collections.Generic", "List`1") => Of(name, JsonKind.List, element),
            INamedTypeSymbol { TypeArguments: [{ SpecialType: SpecialType.System_String }, var value] } when TypeNames.Is(type, "System.Collections.Generic", "Dictionary`2") =>
                Of(name, JsonKind.Dictionary, value),
            INamedTypeSymbol named when JsonShape.Of(named, compilation) is { } shape => Of(name, shape),
            _ => null,
        };
    }

    private JsonTypeModel Of(string name, JsonKind kind, ITypeSymbol element)
    {
        Add(element);
        return new JsonTypeModel(name, kind, TypeNames.Plain(element), Object: null);
    }

    private JsonTypeModel Of(string name, JsonShape shape)
    {
        foreach (var member in shape.MemberTypes)
        {
            Add(member);
        }

        return new JsonTypeModel(name, JsonKind.Object, "", shape.Model);
    }

    /// <summary>The name of the serializer's own converter.</summary>
    private static string? Converter(ITypeSymbol type) => type.SpecialType switch
    {
        SpecialType.System_Boolean => "BooleanConverter",
        SpecialType.System_Char => "CharConverter",
        SpecialType.System_SByte => "SByteConverter",
        SpecialType.System_Byte => "ByteConverter",
        SpecialType.System_Int16 => "Int16Converter",
        SpecialType.System_UInt16 => "UInt16Converter",
        SpecialType.System_Int32 => "Int32Converter",
        SpecialType.System_UInt32 => "UInt32Converter",
        SpecialType.System_Int64 => "Int64Converter",
        SpecialType.System_UInt64 => "UInt64Converter",
        SpecialType.System_Decimal => "DecimalConverter",
        SpecialType.System_Single => "SingleConverter",
        SpecialType.System_Double => "DoubleConverter",
        SpecialType.System_String => "StringConverter",
        SpecialType.System_DateTime => "DateTimeConverter",
        _ when type is IArrayTypeSymbol { IsSZArray: true, ElementType.SpecialType: SpecialType.System_Byte } => "ByteArrayConverter",
        _ when type.ContainingNamespace?.ToDisplayString() == "System" && type.ContainingType is null && type is INamedTypeSymbol { Arity: 0 } => type.Name switch
        {
            "DateTimeOffset" or "DateOnly" or "TimeOnly" or "TimeSpan" or "Guid" or "Half" or "Int128" or "UInt128" or "Uri" or "Version" => $"{type.Name}Converter",
            _ => null,
        },
        _ => null,
    };
}
