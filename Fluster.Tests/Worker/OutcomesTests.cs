using Fluster.Cluster;
using Fluster.Worker;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>What an end means, for every way in which the worker can have interfered.</summary>
public class OutcomesTests
{
    private static readonly Dictionary<string, StopReason?> s_stops = new(StringComparer.Ordinal)
    {
        ["none"] = null,
        ["user"] = new StopReason.Asked(KillCause.User),
        ["shutdown"] = new StopReason.Asked(KillCause.Shutdown),
        ["timeout"] = new StopReason.TimedOut(),
        ["superseded"] = new StopReason.Superseded(),
        ["worker"] = new StopReason.Shutdown(),
    };

    private static readonly Dictionary<string, AttemptEnd> s_ends = new(StringComparer.Ordinal)
    {
        ["0"] = new() { At = default, ExitCode = 0 },
        ["3"] = new() { At = default, ExitCode = 3 },
        ["SIGSEGV"] = new() { At = default, Signal = 11 },
        ["memory"] = new() { At = default, Signal = 9, MemoryLimitPassed = 256 << 20 },
        ["missing"] = new() { At = default, Failure = new JobFailure(FailureKind.ProgramNotFound, "not found") },
        ["threw"] = new() { At = default, ExitCode = 1, Exception = new RemoteExceptionInfo("System.Exception", "boom", "at X") },
        ["nothing"] = new() { At = default },
    };

    [Theory]
    [InlineData("0", "none", "Succeeded")]
    [InlineData("3", "none", "ExitCode 3: Exit code: 3")]
    [InlineData("SIGSEGV", "none", "Signal 0: Ended by signal 11 (SIGSEGV)")]
    [InlineData("memory", "none", "OutOfMemory 0: Out of memory: it used more than the 256 MiB that it asked for.")]
    [InlineData("missing", "none", "ProgramNotFound 0: not found")]
    [InlineData("threw", "none", "ExitCode 1: System.Exception: boom")]
    [InlineData("nothing", "none", "WorkerFault 0: The worker lost sight of the process.")]
    [InlineData("0", "user", "Killed 0: Killed: a user asked for it.")]
    [InlineData("3", "user", "Killed 3: Killed: a user asked for it.")]
    [InlineData("memory", "user", "Killed 0: Killed: a user asked for it.")]
    [InlineData("SIGSEGV", "shutdown", "Killed 0: Killed: the cluster shut down")]
    [InlineData("0", "timeout", "Timeout -1: Timeout exceeded")]
    [InlineData("SIGSEGV", "timeout", "Timeout -1: Timeout exceeded")]
    [InlineData("0", "superseded", "WorkerLost 0: Killed: the controller did not want this attempt any more.")]
    [InlineData("0", "worker", "WorkerLost 0: The worker shut down.")]
    public void Of_EndAndReason(string end, string stop, string expected)
    {
        var outcome = Outcomes.Of(s_ends[end] with { LastLines = ["last"] }, s_stops[stop]);

        Assert.Equal(expected, outcome.Succeeded ? "Succeeded" : $"{outcome.Failure.Kind} {outcome.Failure.ExitCode}: {outcome.Failure.Message}");
        Assert.Equal(outcome.Succeeded ? null : "last", outcome.Failure?.LastLines.Single());
    }

    [Theory]
    [InlineData("", "ExitCode: System.Exception: boom")]
    [InlineData(""","of":"method" """, "ExitCode: System.Exception: boom")]
    [InlineData(""","of":"result" """, "Result: The result cannot be kept: boom")]
    public void ReadInto_Exception_IsTheResultsOrTheMethods(string of, string expected)
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory.File("exception.json"), $$"""{"type":"System.Exception","message":"boom","stack":"at X"{{of}}}""");

        var failure = Outcomes.Of(Fluster.Worker.JobHostOutcome.ReadInto(s_ends["3"] with { ExitCode = 1 }, directory.Path), null).Failure;

        Assert.Equal(expected, $"{failure.Kind}: {failure.Message}");
        Assert.Equal((1, "at X"), (failure.ExitCode, failure.Exception.Stack));
    }

    [Fact]
    public void Of_Success_CarriesTheResult()
    {
        var outcome = Outcomes.Of(s_ends["0"] with { Result = "42"u8.ToArray() }, null);

        Assert.Equal("42", outcome.Result.Inline.ToStringUtf8());
        Assert.Null(Outcomes.Of(s_ends["0"], null).Result);
        Assert.Null(Outcomes.Of(s_ends["3"] with { Result = "42"u8.ToArray() }, null).Result);
    }

    [Fact]
    public void Of_ResultThatIsTooLong_SaysWhatToDo()
    {
        var outcome = Outcomes.Of(s_ends["0"] with { TooLongResult = 20_000_000 }, null);

        Assert.Equal(V1.FailureKind.Result, outcome.Failure.Kind);
        Assert.Contains("20000000 bytes; at most 16777216", outcome.Failure.Message, StringComparison.Ordinal);
    }
}
