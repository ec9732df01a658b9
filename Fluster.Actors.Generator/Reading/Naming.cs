using Microsoft.CodeAnalysis;

namespace Fluster.Actors.Generator;

/// <summary>Which types code in another file can name.</summary>
internal static class Naming
{
    public static bool CanName(Compilation compilation, ITypeSymbol type) => type switch
    {
        IArrayTypeSymbol array => CanName(compilation, array.ElementType),
        INamedTypeSymbol named => !named.IsUnboundGenericType
            && !named.IsAnonymousType
            && named.TypeKind != TypeKind.Error
            && !IsFileLocal(named)
            && compilation.IsSymbolAccessibleWithin(named, compilation.Assembly)
            && All(named).All(argument => CanName(compilation, argument)),
        _ => false, // type parameters, dynamic, pointers
    };

    private static IEnumerable<ITypeSymbol> All(INamedTypeSymbol type)
    {
        for (var current = type; current is not null; current = current.ContainingType)
        {
            foreach (var argument in current.TypeArguments)
            {
                yield return argument;
            }
        }
    }

    private static bool IsFileLocal(INamedTypeSymbol type) => type.IsFileLocal || type.ContainingType is { } outer && IsFileLocal(outer);
}
