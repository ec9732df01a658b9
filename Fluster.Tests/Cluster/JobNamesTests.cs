using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>The rules for ids, names and ports (spec section 1).</summary>
public class JobNamesTests
{
    [Theory]
    [InlineData("train-1a2b3c4d", 1, null, "train-1a2b3c4d")]
    [InlineData("train-1a2b3c4d/step", 2, "train-1a2b3c4d", "step")]
    [InlineData("train-1a2b3c4d/step~2/x", 3, "train-1a2b3c4d/step~2", "x")]
    [InlineData("a/b/c/d/e/f/g/h", 8, "a/b/c/d/e/f/g", "h")]
    public void JobId_Valid_HasItsParts(string text, int depth, string? parent, string last)
    {
        var id = JobId.Parse(text);

        Assert.Equal((text, depth, parent, last), (id.ToString(), id.Depth, id.Parent?.ToString(), id.LastPart));
    }

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("a/")]
    [InlineData("/a")]
    [InlineData("a//b")]
    [InlineData("A")]
    [InlineData("a b")]
    [InlineData("-a")]
    [InlineData("a~1")]
    [InlineData("a~02")]
    [InlineData("a~")]
    [InlineData("a~x")]
    [InlineData("a/b/c/d/e/f/g/h/i")]
    [InlineData("ä")]
    public void JobId_Invalid_IsRefused(string text)
    {
        Assert.Throws<FormatException>(() => JobId.Parse(text));
        Assert.False(JobId.TryParse(text, out _));
    }

    [Fact]
    public void JobId_IsWithin_RespectsParts()
    {
        Assert.True(JobId.Parse("a/b/c").IsWithin(JobId.Parse("a/b")));
        Assert.True(JobId.Parse("a/b").IsWithin(JobId.Parse("a/b")));
        Assert.False(JobId.Parse("a/bc").IsWithin(JobId.Parse("a/b")));
        Assert.False(JobId.Parse("a").IsWithin(JobId.Parse("a/b")));
    }

    [Fact]
    public void JobId_Default_NamesNothing() => Assert.Throws<InvalidOperationException>(() => default(JobId).ToString());

    [Theory]
    [InlineData("", "needs a name")]
    [InlineData("a/b", "'/' separates")]
    [InlineData("A", "lower-case")]
    [InlineData("-a", "starts with")]
    [InlineData("a b", "lower-case")]
    public void Submit_BadName_IsRefusedBeforeAnyCall(string name, string reason)
    {
        var request = new JobRequest { Name = name, Entrypoint = JobEntrypoint.Command("true") };

        Assert.Contains(reason, Assert.Throws<JobRequestException>(() => JobRequestRules.Check(request)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Name_Of63Characters_IsTheLongest()
    {
        Assert.Null(JobName.Problem(new string('a', 63)));
        Assert.Contains("64 characters", JobName.Problem(new string('a', 64)), StringComparison.Ordinal);
    }

    [Fact]
    public void Ports_WhoseVariablesCollide_AreRefusedNamingBoth()
    {
        Assert.Null(PortName.Problem(["actor", "metrics-http", "9p"]));
        Assert.Equal("The ports 'metrics-http' and 'Metrics.HTTP' would share the variable FLUSTER_PORT_METRICS_HTTP; rename one of them.", PortName.Problem(["metrics-http", "Metrics.HTTP"]));
        Assert.Equal("The port 'a' is asked for twice.", PortName.Problem(["a", "b", "a"]));
        Assert.Contains("not a port name", PortName.Problem([""]), StringComparison.Ordinal);
        Assert.Contains("not a port name", PortName.Problem(["a/b"]), StringComparison.Ordinal);
    }

    public static TheoryData<string, JobRequest> BadRequests()
    {
        var good = new JobRequest { Name = "a", Entrypoint = JobEntrypoint.Command("true") };
        return new TheoryData<string, JobRequest>
        {
            { "needs a program", good with { Entrypoint = JobEntrypoint.Command() } },
            { "needs a program", good with { Entrypoint = JobEntrypoint.Command("", "x") } },
            { "NUL", good with { Entrypoint = JobEntrypoint.Command("a", "b\0c") } },
            { "4 MiB", good with { Entrypoint = JobEntrypoint.Command("a", new string('x', 4 << 20)) } },
            { "Replicas is 0", good with { Replicas = 0 } },
            { "MaxFailureRetries is -1", good with { MaxFailureRetries = -1 } },
            { "ExecutionTimeout is 00:00:00", good with { ExecutionTimeout = TimeSpan.Zero } },
            { "'A=B' is not the name", good with { Environment = new JobEnvironment { Variables = new Dictionary<string, string>(StringComparer.Ordinal) { ["A=B"] = "x" } } } },
            { "are not a directory", good with { Environment = new JobEnvironment { WorkingFiles = "/does/not/exist" } } },
            { "share the variable", good with { Ports = ["a-b", "a.b"] } },
        };
    }

    [Theory]
    [MemberData(nameof(BadRequests))]
    public void Submit_BadRequest_IsRefusedBeforeAnyCall(string reason, JobRequest request) =>
        Assert.Contains(reason, Assert.Throws<JobRequestException>(() => JobRequestRules.Check(request)).Message, StringComparison.Ordinal);

    [Fact]
    public void JobName_OfAMethod_IsWhatAPersonWrote()
    {
        Func<int> lambda = () => 5;

        Assert.Equal("jobnamestests-jobname-ofamethod-iswhatapersonwrote", MethodDisplay.JobNameOf(lambda.Method));
        Assert.Equal("JobNamesTests.JobName_OfAMethod_IsWhatAPersonWrote lambda", MethodDisplay.Of(lambda.Method));
        Assert.Equal("JobNamesTests.JobName_OfAMethod_IsWhatAPersonWrote.Local", MethodDisplay.Of(((Func<int>)Local).Method));
        Assert.Equal("Math.Max", MethodDisplay.Of(((Func<int, int, int>)Math.Max).Method));

        static int Local() => 5;
    }
}
