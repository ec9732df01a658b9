using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;

namespace Fluster.Actors.Generator;

/// <summary>Says when a program is built what its actors cannot do: at the member, or at the use of what is declared elsewhere.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class ActorAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } =
    [
        ActorRules.NoMethod, ActorRules.GenericMethod, ActorRules.MemoryParameter, ActorRules.Unsendable, ActorRules.UnsendableValue,
        ActorRules.Clash, ActorRules.NoInterface, ActorRules.AsyncVoid, ActorRules.Blocking,
    ];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(static start =>
        {
            if (start.Compilation.GetTypeByMetadataName(ActorUses.Attribute) is null)
            {
                return;
            }

            var told = new ConcurrentDictionary<(Location, DiagnosticDescriptor), bool>();
            start.RegisterSymbolAction(symbol => CheckMarked(symbol, told), SymbolKind.NamedType);
            start.RegisterSyntaxNodeAction(node => CheckUse(node, told), SyntaxKind.GenericName, SyntaxKind.InvocationExpression);
        });
    }

    private static void CheckMarked(SymbolAnalysisContext context, ConcurrentDictionary<(Location, DiagnosticDescriptor), bool> told)
    {
        var type = (INamedTypeSymbol)context.Symbol;
        if (type.GetAttributes().Any(attribute => attribute.AttributeClass is { } marker && TypeNames.Is(marker, ActorUses.Namespace, "ActorAttribute")))
        {
            var findings = type.TypeKind == TypeKind.Interface ? ActorChecks.OfInterface(type) : ActorChecks.OfClass(type);
            Tell(findings, type.Locations[0], told, context.ReportDiagnostic);
        }
    }

    private static void CheckUse(SyntaxNodeAnalysisContext context, ConcurrentDictionary<(Location, DiagnosticDescriptor), bool> told)
    {
        if (!ActorUses.MayBe(context.Node))
        {
            return;
        }

        var (client, actor) = ActorUses.Find(context.SemanticModel, context.Node, context.CancellationToken);
        var place = context.Node is GenericNameSyntax name ? name.TypeArgumentList.Arguments[0].GetLocation() : context.Node.GetLocation();
        if (client is INamedTypeSymbol { TypeKind: TypeKind.Interface } type)
        {
            Tell(ActorChecks.OfInterface(type), place, told, context.ReportDiagnostic);
        }
        else if (client is not (null or ITypeParameterSymbol or IErrorTypeSymbol))
        {
            context.ReportDiagnostic(Diagnostic.Create(ActorRules.NoInterface, place, TypeNames.ForPeople(client)));
        }

        if (actor is INamedTypeSymbol { TypeKind: TypeKind.Class } served)
        {
            Tell(ActorChecks.OfClass(served), place, told, context.ReportDiagnostic);
        }
    }

    // Once for each member, however often the type is used.
    private static void Tell(IEnumerable<ActorChecks.Finding> findings, Location place, ConcurrentDictionary<(Location, DiagnosticDescriptor), bool> told, Action<Diagnostic> report)
    {
        foreach (var finding in findings)
        {
            var location = finding.Member.Locations.FirstOrDefault(location => location.IsInSource) ?? place;
            if (told.TryAdd((location, finding.Rule), value: true))
            {
                report(Diagnostic.Create(finding.Rule, location, finding.Severity, additionalLocations: null, properties: null, finding.Arguments));
            }
        }
    }
}
