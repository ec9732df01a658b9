using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Names of images end up in paths of the engine's API.</summary>
public class ContainerImageTests
{
    [Theory]
    [InlineData("ubuntu")]
    [InlineData("ubuntu:24.04")]
    [InlineData("registry.example.com:5000/team/app:1.2-rc.1")]
    [InlineData("localhost:5000/a__b/c@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    public void Problem_OfAName_IsNone(string name) => Assert.Null(ContainerImage.Problem(name));

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("../containers")]
    [InlineData("a/../../containers/json")]
    [InlineData("a//b")]
    [InlineData("/a")]
    [InlineData("a?all=1")]
    [InlineData("a%2f..")]
    [InlineData("a#b")]
    [InlineData("é")]
    public void Problem_OfWhatIsNoName_QuotesIt(string name) => Assert.StartsWith($"'{name}' is not the name of a container image", ContainerImage.Problem(name), StringComparison.Ordinal);

    [Theory]
    [InlineData("localhost:5000/app", false)]
    [InlineData("app", false)]
    [InlineData("app:1", true)]
    [InlineData("host:5000/app:1", true)]
    [InlineData("app@sha256:00", true)]
    public void HasTagOrDigest_LooksBehindTheLastSlash(string name, bool expected) => Assert.Equal(expected, ContainerImage.HasTagOrDigest(name));
}
