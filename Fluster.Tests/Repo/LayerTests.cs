namespace Fluster.Tests;

/// <summary>The cluster layer never mentions actors.</summary>
public class LayerTests
{
    [Fact]
    public void ClusterProtos_DoNotMentionActors()
    {
        var protos = Repository.Files("Fluster.Cluster/*.proto");
        Assert.NotEmpty(protos);

        Assert.All(protos, path => Assert.DoesNotMatch(@"(?i)\bactors?\b", Repository.Read(path))); // whole words: "factory" contains it
    }

    [Fact]
    public void ClusterControllerAndWorkerSources_DoNotMentionActors()
    {
        var sources = Repository.Files("Fluster.Cluster/*.cs", "Fluster.Controller/*.cs", "Fluster.Worker/*.cs", "Fluster.Redis/*.cs", "Fluster.Backends/*.cs", "Fluster.JobHost/*.cs");
        Assert.NotEmpty(sources);

        Assert.All(sources, path => Assert.DoesNotMatch(@"(?i)\bactors?\b", Repository.Read(path)));
    }

    /// <summary>FLUSTER_* is read and written in one place; elsewhere it may only be spoken of.</summary>
    [Fact]
    public void FlusterVariables_AreNamedOnlyInFlusterEnvironment()
    {
        var wrong = Repository.Files("*.cs")
            .Where(path => path != "Fluster.Cluster/Context/FlusterEnvironment.cs" && !path.StartsWith("Fluster.Tests/", StringComparison.Ordinal))
            .SelectMany(path => File.ReadLines(Path.Combine(Repository.Root, path)).Select((line, index) => (path, line, number: index + 1)))
            .Where(line => line.line.Contains("\"FLUSTER_", StringComparison.Ordinal) && !line.line.TrimStart().StartsWith("//", StringComparison.Ordinal))
            .Select(line => $"{line.path}:{line.number}: {line.line.Trim()}")
            .Where(line => !s_documentedExceptions.Any(exception => line.StartsWith(exception, StringComparison.Ordinal)));

        Assert.Empty(wrong);
    }

    /// <summary>Programs that reference nothing of ours and still need one of the names.</summary>
    private static readonly string[] s_documentedExceptions =
    [
        "Fluster.Hosting/ContextFile.cs", // where the context file is; the app-model integration references platform/AppModel only
    ];
}
