using System.Text;
using Microsoft.CodeAnalysis;

namespace Fluster.Actors.Generator;

/// <summary>Names of types, in code and for people.</summary>
internal static class TypeNames
{
    private const SymbolDisplayMiscellaneousOptions Escaped = SymbolDisplayMiscellaneousOptions.UseSpecialTypes | SymbolDisplayMiscellaneousOptions.EscapeKeywordIdentifiers;

    private static readonly SymbolDisplayFormat s_plain = SymbolDisplayFormat.FullyQualifiedFormat
        .WithMiscellaneousOptions(Escaped | SymbolDisplayMiscellaneousOptions.ExpandValueTuple);

    private static readonly SymbolDisplayFormat s_annotated = SymbolDisplayFormat.FullyQualifiedFormat
        .WithMiscellaneousOptions(Escaped | SymbolDisplayMiscellaneousOptions.IncludeNullableReferenceTypeModifier);

    /// <summary>The type in code, equal for equal types at run time: without annotations of null and names in tuples.</summary>
    public static string Plain(ITypeSymbol type) => type.ToDisplayString(s_plain);

    /// <summary>The type in code as it is declared.</summary>
    public static string Annotated(ITypeSymbol type) => type.ToDisplayString(s_annotated);

    /// <summary>An interface or a class in code, with the names and annotations in its arguments: the compiler tells interfaces apart by them.</summary>
    public static string Declared(INamedTypeSymbol type) => Annotated(type.WithNullableAnnotation(NullableAnnotation.NotAnnotated));

    /// <summary>A name for what is written for a type, of letters, digits and underscores.</summary>
    public static string Identifier(ITypeSymbol type)
    {
        var plain = Plain(type).Replace("global::", "");
        var name = new StringBuilder();
        var exact = true;
        foreach (var letter in plain)
        {
            exact &= letter == '.' || char.IsLetterOrDigit(letter);
            name.Append(char.IsLetterOrDigit(letter) ? letter : '_');
        }

        return exact ? name.ToString() : $"{name}_{Hash(plain):x8}";
    }

    /// <summary>As a person would write it. Says what <c>CSharpNames</c> of Fluster.Actors says of the same type.</summary>
    public static string ForPeople(ITypeSymbol type) => type switch
    {
        IArrayTypeSymbol array => $"{ForPeople(array.ElementType)}[{new string(',', array.Rank - 1)}]",
        INamedTypeSymbol { OriginalDefinition.SpecialType: SpecialType.System_Nullable_T } nullable => $"{ForPeople(nullable.TypeArguments[0])}?",
        INamedTypeSymbol { IsTupleType: true } tuple => $"({string.Join(", ", tuple.TupleElements.Select(element => ForPeople(element.Type)))})",
        INamedTypeSymbol { TypeArguments.Length: > 0 } generic => $"{generic.Name}<{string.Join(", ", generic.TypeArguments.Select(ForPeople))}>",
        _ => Keyword(type.SpecialType) ?? type.Name,
    };

    /// <summary>Whether it is the type of that namespace and name, or made of it.</summary>
    public static bool Is(ITypeSymbol type, string containingNamespace, string metadataName) =>
        type is INamedTypeSymbol named && named.MetadataName == metadataName && named.ContainingType is null && named.ContainingNamespace.ToDisplayString() == containingNamespace;

    public static bool IsCancellationToken(ITypeSymbol type) => Is(type, "System.Threading", "CancellationToken");

    /// <summary>How a method returns, and the type of the value or of one item.</summary>
    public static (ReturnKind Kind, ITypeSymbol? Value) Return(IMethodSymbol method)
    {
        const string Tasks = "System.Threading.Tasks";
        var type = method.ReturnType;
        if (method.ReturnsVoid)
        {
            return (ReturnKind.Nothing, null);
        }

        if (Is(type, Tasks, "Task"))
        {
            return (ReturnKind.Task, null);
        }

        if (Is(type, Tasks, "ValueTask"))
        {
            return (ReturnKind.ValueTask, null);
        }

        if (type is INamedTypeSymbol { TypeArguments: [var value] })
        {
            if (Is(type, Tasks, "Task`1"))
            {
                return (ReturnKind.TaskOfValue, value);
            }

            if (Is(type, Tasks, "ValueTask`1"))
            {
                return (ReturnKind.ValueTaskOfValue, value);
            }

            if (Is(type, "System.Collections.Generic", "IAsyncEnumerable`1"))
            {
                return (ReturnKind.Stream, value);
            }
        }

        return (ReturnKind.Value, type);
    }

    private static string? Keyword(SpecialType type) => type switch
    {
        SpecialType.System_Void => "void",
        SpecialType.System_Object => "object",
        SpecialType.System_Boolean => "bool",
        SpecialType.System_Char => "char",
        SpecialType.System_SByte => "sbyte",
        SpecialType.System_Byte => "byte",
        SpecialType.System_Int16 => "short",
        SpecialType.System_UInt16 => "ushort",
        SpecialType.System_Int32 => "int",
        SpecialType.System_UInt32 => "uint",
        SpecialType.System_Int64 => "long",
        SpecialType.System_UInt64 => "ulong",
        SpecialType.System_Decimal => "decimal",
        SpecialType.System_Single => "float",
        SpecialType.System_Double => "double",
        SpecialType.System_String => "string",
        SpecialType.System_IntPtr => "nint",
        SpecialType.System_UIntPtr => "nuint",
        _ => null,
    };

    // FNV-1a: the same in every process, unlike that of strings.
    private static uint Hash(string text)
    {
        var hash = 2166136261u;
        foreach (var letter in text)
        {
            hash = unchecked((hash ^ letter) * 16777619u);
        }

        return hash;
    }
}
