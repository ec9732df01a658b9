using Microsoft.CodeAnalysis;

namespace Fluster.Actors.Generator;

/// <summary>What is wrong with an interface or a class of actors.</summary>
internal static class ActorChecks
{
    /// <param name="Member">Where it is.</param>
    /// <param name="Rule">What it is.</param>
    /// <param name="Severity">How bad it is there.</param>
    /// <param name="Arguments">What the message says.</param>
    public sealed record Finding(ISymbol Member, DiagnosticDescriptor Rule, DiagnosticSeverity Severity, params object[] Arguments);

    /// <summary>An interface of clients: what the run time would refuse, when the client is made or at the call.</summary>
    public static IEnumerable<Finding> OfInterface(INamedTypeSymbol type)
    {
        foreach (var member in Callable.MembersOf(type).Where(member => member.IsAbstract || member.IsVirtual))
        {
            if (Refused(member) is { } refused)
            {
                yield return refused;
                continue;
            }

            if (member is not IMethodSymbol { MethodKind: MethodKind.Ordinary } method)
            {
                continue;
            }

            if (TypeNames.Return(method).Kind is ReturnKind.Nothing or ReturnKind.Value)
            {
                yield return Found(method, ActorRules.Blocking, Name(method));
            }

            foreach (var finding in Values(method, DiagnosticSeverity.Error))
            {
                yield return finding;
            }
        }

        foreach (var finding in Clashes([.. Callable.OfInterface(type)], DiagnosticSeverity.Error))
        {
            yield return finding;
        }
    }

    /// <summary>A class of actors. It may have public methods that nobody calls from elsewhere: what only fails at the call is a warning.</summary>
    public static IEnumerable<Finding> OfClass(INamedTypeSymbol type)
    {
        var methods = Callable.OfClass(type);
        foreach (var method in methods)
        {
            if (method is { IsAsync: true, ReturnsVoid: true })
            {
                yield return Found(method, ActorRules.AsyncVoid, Name(method));
            }

            foreach (var finding in Values(method, DiagnosticSeverity.Warning))
            {
                yield return finding;
            }
        }

        foreach (var finding in Clashes(methods, DiagnosticSeverity.Warning))
        {
            yield return finding;
        }
    }

    private static Finding? Refused(ISymbol member) => member switch
    {
        IPropertySymbol => Found(member, ActorRules.NoMethod, Name(member), "a property"),
        IEventSymbol => Found(member, ActorRules.NoMethod, Name(member), "an event"),
        IMethodSymbol { MethodKind: not MethodKind.Ordinary } => null, // its property or event is named instead
        IMethodSymbol { IsGenericMethod: true } => Found(member, ActorRules.GenericMethod, Name(member)),
        IMethodSymbol method when method.Parameters.Any(Callable.RefersToMemory) => Found(member, ActorRules.MemoryParameter, Name(member)),
        IMethodSymbol method when Callable.ReturnsMemory(method) => Found(member, ActorRules.Unsendable, Name(member), TypeNames.ForPeople(method.ReturnType)),
        _ => null,
    };

    private static IEnumerable<Finding> Values(IMethodSymbol method, DiagnosticSeverity severity)
    {
        foreach (var parameter in method.Parameters.Where(parameter => !TypeNames.IsCancellationToken(parameter.Type)))
        {
            if (SendableTypes.Problem(parameter.Type) is var (type, why))
            {
                yield return new Finding(parameter, ActorRules.UnsendableValue, severity, Name(method), "takes", TypeNames.ForPeople(type), why);
            }
        }

        if (TypeNames.Return(method).Value is { } value && SendableTypes.Problem(value) is var (returned, reason))
        {
            yield return new Finding(method, ActorRules.UnsendableValue, severity, Name(method), "returns", TypeNames.ForPeople(returned), reason);
        }
    }

    // A method that is declared again, with the same parameters, is the same one to whoever serves it.
    private static IEnumerable<Finding> Clashes(IReadOnlyList<IMethodSymbol> methods, DiagnosticSeverity severity) => methods
        .GroupBy(method => (method.Name, Sent(method).Count()))
        .SelectMany(same => same.Where(method => same.Any(other => !Sent(method).SequenceEqual(Sent(other), SymbolEqualityComparer.Default))))
        .Select(method => new Finding(method, ActorRules.Clash, severity, Name(method)));

    private static IEnumerable<ITypeSymbol> Sent(IMethodSymbol method) => method.Parameters.Select(parameter => parameter.Type).Where(type => !TypeNames.IsCancellationToken(type));

    private static Finding Found(ISymbol member, DiagnosticDescriptor rule, params object[] arguments) => new(member, rule, rule.DefaultSeverity, arguments);

    private static string Name(ISymbol member) => $"{member.ContainingType.Name}.{member.Name}";
}
