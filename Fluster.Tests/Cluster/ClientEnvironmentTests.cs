using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>How a program finds its cluster when it names none.</summary>
public sealed class ClientEnvironmentTests : IDisposable
{
    private static readonly string[] s_waysToOne = ["fluster cluster up", "fluster login", "dotnet run --project Fluster.AppHost"];

    private readonly TemporaryDirectory _directory = new();

    private string ContextFile => Path.Combine(_directory.Path, "context.json");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void ContextFile_Current_IsUsed()
    {
        File.WriteAllText(ContextFile, """
            {"current":"b","contexts":{"a":{"address":"http://a:1"},"b":{"address":"http://b:2/","http":"http://b:3","token":"t","clusterKey":"k","namespace":"ns","pid":5}}}
            """);

        var options = ClientEnvironment.FromContextFile(ContextFile, contextName: null);

        Assert.Equal(("http://b:2", "t", "k", Namespace.Parse("ns")), (options.Address, options.Token, options.ClusterKey, options.Namespace));
        Assert.Equal("http://a:1", ClientEnvironment.FromContextFile(ContextFile, "a").Address);
    }

    [Fact]
    public void ContextFile_Missing_SaysWhatToStart()
    {
        var error = Assert.Throws<InvalidOperationException>(() => ClientEnvironment.FromContextFile(ContextFile, contextName: null));

        Assert.Contains($"{ContextFile} does not exist", error.Message, StringComparison.Ordinal);
        Assert.All(s_waysToOne, way => Assert.Contains(way, error.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void ContextFile_KnowsNone_SaysWhatToStart()
    {
        File.WriteAllText(ContextFile, """{"contexts":{}}""");

        var error = Assert.Throws<InvalidOperationException>(() => ClientEnvironment.FromContextFile(ContextFile, contextName: null));

        Assert.All(s_waysToOne, way => Assert.Contains(way, error.Message, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("{", "cannot be read")]
    [InlineData("[]", "cannot be read")]
    [InlineData("{}", "knows none")]
    [InlineData("""{"contexts":{}}""", "knows none")]
    [InlineData("""{"current":"x","contexts":{"a":{"address":"http://a:1"}}}""", "knows no cluster 'x'; it knows a")]
    public void ContextFile_Useless_SaysWhy(string content, string reason)
    {
        File.WriteAllText(ContextFile, content);

        var error = Assert.Throws<InvalidOperationException>(() => ClientEnvironment.FromContextFile(ContextFile, contextName: null));

        Assert.Contains(ContextFile, error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("localhost:7070")]
    [InlineData("ftp://host")]
    [InlineData("/path")]
    public void Address_NotOne_IsRefused(string address) =>
        Assert.Contains($"'{address}' is not the address of a controller", Assert.Throws<ArgumentException>(() => new FlusterClientOptions { Address = address }).Message, StringComparison.Ordinal);
}
