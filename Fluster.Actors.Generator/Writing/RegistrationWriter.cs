using System.Collections.Immutable;

namespace Fluster.Actors.Generator;

/// <summary>Writes what makes everything known when the program's module is loaded.</summary>
internal static class RegistrationWriter
{
    public const string Name = "ActorRegistration";

    public static string Write(ImmutableArray<ActorModel> proxies, ImmutableArray<ActorModel> dispatchers, bool hasTypes)
    {
        const string Generated = CodeWriter.Actors + "ActorGenerated.";
        var code = new CodeWriter();
        code.Line(MemberWriter.Mark).Open($"internal static class {Name}");
        code.Line("[global::System.Runtime.CompilerServices.ModuleInitializer]").Open("internal static void Register()");
        foreach (var proxy in proxies)
        {
            code.Line($"{Generated}AddProxy<{proxy.Type}>(static invoker => new {proxy.Name}(invoker));");
        }

        foreach (var actor in dispatchers)
        {
            code.Line($"{Generated}AddDispatcher<{actor.Type}>(new {actor.Name}());");
        }

        if (hasTypes)
        {
            code.Line($"{Generated}AddTypes(new {TypesWriter.Name}());");
        }

        return code.ToString();
    }
}
