using Fluster.Actors.Generator;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Fluster.Tests;

/// <summary>Nothing is written anew while a user types elsewhere.</summary>
public class GeneratorStepTests
{
    private const string Interface = "public record Item(int A); public interface IShop { Task<Item> Get(int id); }";
    private const string Uses = "[Actor] public class Shop { public int M(Item item) => item.A; } public class U { public static void Use(string a) { using var c = new ActorClient<IShop>(a); } }";

    [Theory]
    [InlineData(Interface, Uses + " public class Another { public int M() => 1; }")]
    [InlineData(Interface, Uses + " public class Again { public static void Use(string a) { using var c = new ActorClient<IShop>(a); } }")]
    [InlineData(Interface, "// A comment.\n" + Uses)]
    [InlineData(Interface + " // A comment.", Uses)]
    [InlineData("public interface IOther { int Size { get; } } " + Interface, Uses)]
    public void EditElsewhere_EverythingIsCached(string @interface, string uses)
    {
        var outputs = EditAndRun(@interface, uses, out var steps);

        Assert.NotEmpty(outputs);
        Assert.All(outputs, reason => Assert.Equal(IncrementalStepRunReason.Cached, reason));
        Assert.All(steps, step => Assert.True(step.Reason is IncrementalStepRunReason.Cached or IncrementalStepRunReason.Unchanged, $"{step}"));
    }

    [Fact]
    public void EditOfAMethod_OnlyItsClientIsWrittenAnew()
    {
        EditAndRun(Interface.Replace("int id", "int id, int amount", StringComparison.Ordinal), Uses, out var steps);

        Assert.Contains((ActorGenerator.ProxiesStep, IncrementalStepRunReason.Modified), steps);
        Assert.All(steps.Where(step => step.Name is ActorGenerator.DispatchersStep), step => Assert.NotEqual(IncrementalStepRunReason.Modified, step.Reason));
        Assert.All(steps.Where(step => step.Name is ActorGenerator.TypesStep), step => Assert.NotEqual(IncrementalStepRunReason.Modified, step.Reason));
    }

    [Fact]
    public void EditOfAType_OnlyTheTypesAreWrittenAnew()
    {
        EditAndRun(Interface.Replace("int A", "int A, string B", StringComparison.Ordinal), Uses, out var steps);

        Assert.Contains((ActorGenerator.TypesStep, IncrementalStepRunReason.Modified), steps);
        Assert.All(steps.Where(step => step.Name is ActorGenerator.ProxiesStep or ActorGenerator.DispatchersStep), step => Assert.NotEqual(IncrementalStepRunReason.Modified, step.Reason));
    }

    [Fact]
    public void TwoRuns_WriteTheSame() => Assert.Equal(BuiltSource.Generate(Interface, Uses), BuiltSource.Generate(Interface, Uses));

    private static List<IncrementalStepRunReason> EditAndRun(string @interface, string uses, out List<(string Name, IncrementalStepRunReason Reason)> steps)
    {
        var before = BuiltSource.Compile(Interface, Uses);
        var trees = before.SyntaxTrees.ToArray();
        var after = before;
        foreach (var (tree, text) in new[] { (trees[1], @interface), (trees[2], uses) })
        {
            if (tree.ToString() != text)
            {
                after = after.ReplaceSyntaxTree(tree, CSharpSyntaxTree.ParseText(text, (CSharpParseOptions)tree.Options, tree.FilePath));
            }
        }

        var result = BuiltSource.Driver().RunGenerators(before).RunGenerators(after).GetRunResult().Results.Single();
        steps = [.. result.TrackedSteps
            .Where(step => step.Key is ActorGenerator.ProxiesStep or ActorGenerator.DispatchersStep or ActorGenerator.TypesStep)
            .SelectMany(step => step.Value.SelectMany(run => run.Outputs).Select(output => (step.Key, output.Reason)))];
        return [.. result.TrackedOutputSteps.SelectMany(step => step.Value).SelectMany(run => run.Outputs).Select(output => output.Reason)];
    }
}
