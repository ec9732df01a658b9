using Microsoft.CodeAnalysis;

namespace Fluster.Actors.Generator;

/// <summary>Reads interfaces and classes of actors.</summary>
internal sealed class ActorReader(Compilation compilation, CancellationToken cancellationToken)
{
    /// <summary>What is written for a use of an interface, of a class, or of both.</summary>
    public ActorUse? Read(INamedTypeSymbol? client, INamedTypeSymbol? actor)
    {
        var types = new JsonTypes(compilation, cancellationToken);
        var use = new ActorUse(
            client is null ? null : ReadProxy(client, types),
            actor is null ? null : ReadDispatcher(actor, types),
            types.All.ToSequence());
        return use.Proxy is null && use.Dispatcher is null ? null : use;
    }

    // Null: no proxy can be written, or none that may name what it needs. At run time one is made, or refused with a reason.
    private ActorModel? ReadProxy(INamedTypeSymbol type, JsonTypes types)
    {
        if (type.TypeKind != TypeKind.Interface || !CanName(type))
        {
            return null;
        }

        var members = Callable.MembersOf(type).Where(member => member.IsAbstract || member.IsVirtual).ToList();
        if (members.Any(member => member is not IMethodSymbol { MethodKind: MethodKind.Ordinary } method
            || method.DeclaredAccessibility != Accessibility.Public || method.IsGenericMethod || Callable.ReturnsMemory(method) || method.Parameters.Any(Callable.RefersToMemory)))
        {
            return null;
        }

        return Read(type, "Proxy", [.. Callable.OfInterface(type)], types);
    }

    private ActorModel? ReadDispatcher(INamedTypeSymbol type, JsonTypes types) =>
        type is { TypeKind: TypeKind.Class, IsAbstract: false, IsStatic: false } && CanName(type)
            ? Read(type, "Dispatcher", Callable.OfClass(type), types)
            : null;

    private ActorModel? Read(INamedTypeSymbol type, string suffix, IReadOnlyCollection<IMethodSymbol> methods, JsonTypes types)
    {
        if (!methods.All(CanName))
        {
            return null;
        }

        foreach (var method in methods)
        {
            foreach (var parameter in method.Parameters.Where(parameter => !TypeNames.IsCancellationToken(parameter.Type)))
            {
                types.Add(parameter.Type);
            }

            if (TypeNames.Return(method).Value is { } value)
            {
                types.Add(value);
            }
        }

        return new ActorModel(TypeNames.Declared(type), $"{TypeNames.Identifier(type)}_{suffix}", methods.Select(ReadMethod).ToSequence());
    }

    private MethodModel ReadMethod(IMethodSymbol method)
    {
        var (kind, value) = TypeNames.Return(method);
        var parameters = method.Parameters.Select(parameter => new ParameterModel(
            parameter.Name,
            TypeNames.Annotated(parameter.Type),
            TypeNames.Plain(parameter.Type),
            TypeNames.IsCancellationToken(parameter.Type),
            DefaultValues.Of(parameter))).ToSequence();
        return new MethodModel(
            method.Name,
            TypeNames.Declared(method.ContainingType),
            kind,
            TypeNames.Annotated(method.ReturnType),
            value is null ? "" : TypeNames.Plain(value),
            parameters,
            SignatureOf(method, kind, value),
            IsIdempotent(method),
            Summaries.Of(method, cancellationToken));
    }

    private static string SignatureOf(IMethodSymbol method, ReturnKind kind, ITypeSymbol? value)
    {
        var sent = method.Parameters.Where(parameter => !TypeNames.IsCancellationToken(parameter.Type));
        var returned = kind == ReturnKind.Stream ? TypeNames.ForPeople(method.ReturnType) : value is null ? "void" : TypeNames.ForPeople(value);
        return $"({string.Join(", ", sent.Select(parameter => $"{TypeNames.ForPeople(parameter.Type)} {parameter.Name}"))}) -> {returned}";
    }

    private static bool IsIdempotent(IMethodSymbol method)
    {
        for (var current = method; current is not null; current = current.OverriddenMethod)
        {
            if (HasIdempotent(current))
            {
                return true;
            }
        }

        return HasIdempotent(method.ContainingType);
    }

    private static bool HasIdempotent(ISymbol symbol) =>
        symbol.GetAttributes().Any(attribute => attribute.AttributeClass is { } type && TypeNames.Is(type, ActorUses.Namespace, "IdempotentAttribute"));

    private bool CanName(IMethodSymbol method) =>
        CanName(method.ReturnType) && method.Parameters.All(parameter => CanName(parameter.Type)) && CanName(method.ContainingType) && !IsForbidden(method);

    private bool CanName(ITypeSymbol type) => Naming.CanName(compilation, type);

    // Whoever calls it does not compile.
    private static bool IsForbidden(IMethodSymbol method) => method.GetAttributes().Any(attribute =>
        attribute.AttributeClass is { } type && TypeNames.Is(type, "System", "ObsoleteAttribute") && attribute.ConstructorArguments is [_, { Value: true }]);
}
