using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Fluster.Actors.Generator;

/// <summary>
/// Writes a proxy for every interface and a dispatcher for every class of actors that a program uses, and describes the types of their
/// arguments and results to the JSON serializer. Types that other files cannot name are passed over: those are handled at run time.
/// </summary>
[Generator(LanguageNames.CSharp)]
public sealed class ActorGenerator : IIncrementalGenerator
{
    /// <summary>Names of the steps, so that it can be seen which ones ran.</summary>
    public const string UsesStep = "Uses";

    /// <inheritdoc cref="UsesStep"/>
    public const string ProxiesStep = "Proxies";

    /// <inheritdoc cref="UsesStep"/>
    public const string DispatchersStep = "Dispatchers";

    /// <inheritdoc cref="UsesStep"/>
    public const string TypesStep = "Types";

    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        var used = context.SyntaxProvider
            .CreateSyntaxProvider(static (node, _) => ActorUses.MayBe(node), static (found, cancellationToken) =>
            {
                var (client, actor) = ActorUses.Find(found.SemanticModel, found.Node, cancellationToken);
                return client is null && actor is null
                    ? null
                    : new ActorReader(found.SemanticModel.Compilation, cancellationToken).Read(client as INamedTypeSymbol, actor as INamedTypeSymbol);
            })
            .Where(static use => use is not null)
            .WithTrackingName(UsesStep);
        var marked = context.SyntaxProvider
            .ForAttributeWithMetadataName(ActorUses.Attribute, static (node, _) => node is TypeDeclarationSyntax, static (found, cancellationToken) =>
            {
                var type = (INamedTypeSymbol)found.TargetSymbol;
                var isInterface = type.TypeKind == TypeKind.Interface;
                return new ActorReader(found.SemanticModel.Compilation, cancellationToken).Read(isInterface ? type : null, isInterface ? null : type);
            })
            .Where(static use => use is not null)
            .WithTrackingName(UsesStep);

        // Collected, each once and in the order of their names, and only then written: one place more or less changes nothing.
        var uses = used.Collect().Combine(marked.Collect()).Select(static (both, _) => both.Left.AddRange(both.Right)!);
        var proxies = uses.SelectMany(static (all, _) => Distinct(all.Select(use => use!.Proxy))).WithTrackingName(ProxiesStep);
        var dispatchers = uses.SelectMany(static (all, _) => Distinct(all.Select(use => use!.Dispatcher))).WithTrackingName(DispatchersStep);
        var types = uses.Select(static (all, _) => Types(all!)).WithTrackingName(TypesStep);

        context.RegisterSourceOutput(proxies, static (output, proxy) => output.AddSource($"{proxy.Name}.g.cs", ProxyWriter.Write(proxy)));
        context.RegisterSourceOutput(dispatchers, static (output, actor) => output.AddSource($"{actor.Name}.g.cs", DispatcherWriter.Write(actor)));
        context.RegisterSourceOutput(types, static (output, all) =>
        {
            if (all.Count > 0)
            {
                output.AddSource($"{TypesWriter.Name}.g.cs", TypesWriter.Write(all));
            }
        });
        context.RegisterSourceOutput(proxies.Collect().Combine(dispatchers.Collect()).Combine(types), static (output, all) =>
        {
            var ((clients, actors), described) = all;
            if (clients.Length + actors.Length > 0)
            {
                output.AddSource($"{RegistrationWriter.Name}.g.cs", RegistrationWriter.Write(clients, actors, described.Count > 0));
            }
        });
    }

    private static IEnumerable<ActorModel> Distinct(IEnumerable<ActorModel?> models) =>
        models.OfType<ActorModel>().GroupBy(model => model.Name, StringComparer.Ordinal).Select(same => same.First()).OrderBy(model => model.Name, StringComparer.Ordinal);

    private static Sequence<JsonTypeModel> Types(ImmutableArray<ActorUse> uses) => uses
        .SelectMany(use => use.Types)
        .GroupBy(type => type.Type, StringComparer.Ordinal)
        .Select(same => same.First())
        .OrderBy(type => type.Type, StringComparer.Ordinal)
        .ToSequence();
}
