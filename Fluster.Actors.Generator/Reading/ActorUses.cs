using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;

namespace Fluster.Actors.Generator;

/// <summary>Finds the places in the source that use an interface or a class as that of an actor.</summary>
internal static class ActorUses
{
    /// <summary>Where the types are that users program against.</summary>
    public const string Namespace = "Fluster.Actors";

    public const string Attribute = "Fluster.Actors.ActorAttribute";

    private const string Hosting = "AddFlusterActor";

    /// <summary>Whether it looks like one; asked for every node of a file that was changed.</summary>
    public static bool MayBe(SyntaxNode node) => node switch
    {
        GenericNameSyntax { Identifier.ValueText: "ActorClient" or "ActorPool" or "CreateClient" or "CreatePool" or Hosting, IsUnboundGenericName: false } => true,
        InvocationExpressionSyntax
        {
            ArgumentList.Arguments.Count: >= 2,
            Expression: MemberAccessExpressionSyntax { Name.Identifier.ValueText: "Register" } or MemberBindingExpressionSyntax { Name.Identifier.ValueText: "Register" },
        } => true,
        _ => false,
    };

    /// <summary>What is used as an interface of clients, and what as a class of actors.</summary>
    public static (ITypeSymbol? Client, ITypeSymbol? Actor) Find(SemanticModel model, SyntaxNode node, CancellationToken cancellationToken) => node switch
    {
        InvocationExpressionSyntax => (null, Registered(model, node, cancellationToken)),
        GenericNameSyntax => model.GetSymbolInfo(node, cancellationToken).Symbol switch
        {
            INamedTypeSymbol { TypeArguments: [var client] } type when type.ContainingNamespace.ToDisplayString() == Namespace => (client, null),
            IMethodSymbol method when IsOurs(method) => Arguments(method),
            _ => default,
        },
        _ => default,
    };

    private static (ITypeSymbol? Client, ITypeSymbol? Actor) Arguments(IMethodSymbol method) => (method.Name, method.TypeArguments) switch
    {
        (Hosting, [var client, var actor]) => (client, actor),
        (Hosting, [var actor]) => (null, actor),
        (_, [var client]) => (client, null),
        _ => default,
    };

    // Extensions of other types stand in the namespaces of those.
    private static bool IsOurs(IMethodSymbol method) => method.ContainingAssembly?.Name.StartsWith("Fluster.", StringComparison.Ordinal) == true;

    private static ITypeSymbol? Registered(SemanticModel model, SyntaxNode node, CancellationToken cancellationToken)
    {
        if (model.GetOperation(node, cancellationToken) is not IInvocationOperation call || !TypeNames.Is(call.TargetMethod.ContainingType, Namespace, "ActorServer"))
        {
            return null;
        }

        var value = call.Arguments.FirstOrDefault(argument => argument.Parameter?.Type.SpecialType == SpecialType.System_Object)?.Value;
        while (value is IConversionOperation { IsImplicit: true } conversion)
        {
            value = conversion.Operand;
        }

        return value?.Type;
    }
}
