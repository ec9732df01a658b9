using Microsoft.CodeAnalysis;

namespace Fluster.Actors.Generator;

/// <summary>Which methods are called from elsewhere. Says what <c>ReflectedDispatcher</c> of Fluster.Actors says at run time.</summary>
internal static class Callable
{
    /// <summary>The methods of a class, its own before those of its bases.</summary>
    public static List<IMethodSymbol> OfClass(INamedTypeSymbol type)
    {
        var found = new List<IMethodSymbol>();
        for (var current = type; current is not null && current.SpecialType != SpecialType.System_Object; current = current.BaseType)
        {
            foreach (var method in current.GetMembers().OfType<IMethodSymbol>())
            {
                if (CanBeCalled(method) && !found.Any(nearer => Hides(nearer, method)))
                {
                    found.Add(method);
                }
            }
        }

        return found;
    }

    /// <summary>What an interface has, and what those that it is made of have.</summary>
    public static IEnumerable<ISymbol> MembersOf(INamedTypeSymbol type) =>
        type.AllInterfaces.Insert(0, type).SelectMany(one => one.GetMembers()).Where(member => !member.IsStatic && member is not INamedTypeSymbol);

    /// <summary>The methods of an interface that its clients implement.</summary>
    public static IEnumerable<IMethodSymbol> OfInterface(INamedTypeSymbol type) => MembersOf(type).OfType<IMethodSymbol>()
        .Where(method => method.MethodKind == MethodKind.Ordinary && (method.IsAbstract || method.IsVirtual) && method.ExplicitInterfaceImplementations.IsEmpty);

    /// <summary>Whether a type is one that refers to memory, and so cannot be sent.</summary>
    public static bool RefersToMemory(IParameterSymbol parameter) =>
        parameter.RefKind != RefKind.None || parameter.Type.IsRefLikeType || parameter.Type is IPointerTypeSymbol or IFunctionPointerTypeSymbol;

    public static bool ReturnsMemory(IMethodSymbol method) =>
        method.ReturnsByRef || method.ReturnsByRefReadonly || method.ReturnType.IsRefLikeType || method.ReturnType is IPointerTypeSymbol or IFunctionPointerTypeSymbol;

    private static bool CanBeCalled(IMethodSymbol method) =>
        method is { MethodKind: MethodKind.Ordinary, DeclaredAccessibility: Accessibility.Public, IsStatic: false, IsGenericMethod: false, IsImplicitlyDeclared: false }
        && !method.GetAttributes().Any(attribute => attribute.AttributeClass is { } type && TypeNames.Is(type, "System.Runtime.CompilerServices", "CompilerGeneratedAttribute"))
        && First(method).ContainingType.SpecialType != SpecialType.System_Object
        && !IsDispose(method)
        && !method.Parameters.Any(RefersToMemory)
        && !ReturnsMemory(method);

    private static IMethodSymbol First(IMethodSymbol method)
    {
        while (method.OverriddenMethod is { } overridden)
        {
            method = overridden;
        }

        return method;
    }

    private static bool IsDispose(IMethodSymbol method) =>
        method.Parameters.IsEmpty
        && (method.Name == "Dispose" && Has(method.ContainingType, "IDisposable") || method.Name == "DisposeAsync" && Has(method.ContainingType, "IAsyncDisposable"));

    private static bool Has(INamedTypeSymbol type, string name) => type.AllInterfaces.Any(one => TypeNames.Is(one, "System", name));

    private static bool Hides(IMethodSymbol nearer, IMethodSymbol method) =>
        nearer.Name == method.Name
        && nearer.Parameters.Length == method.Parameters.Length
        && nearer.Parameters.Zip(method.Parameters, (one, other) => SymbolEqualityComparer.Default.Equals(one.Type, other.Type)).All(same => same);
}
