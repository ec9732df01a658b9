using Fluster.Cli;
using Fluster.Cluster;

namespace Fluster.Tests;

public class CliWordsTests
{
    [Theory]
    [InlineData(JobState.Succeeded, null, null, 0)]
    [InlineData(JobState.Failed, FailureKind.ExitCode, 3, 3)]
    [InlineData(JobState.Failed, FailureKind.ExitCode, 255, 255)]
    [InlineData(JobState.Failed, FailureKind.Timeout, -1, 124)]
    [InlineData(JobState.Failed, FailureKind.OutOfMemory, null, 137)]
    [InlineData(JobState.Killed, FailureKind.Killed, null, 137)]
    [InlineData(JobState.Killed, null, null, 137)]
    [InlineData(JobState.Failed, FailureKind.ProgramNotFound, null, 127)]
    [InlineData(JobState.Failed, FailureKind.Bundle, null, 125)]
    [InlineData(JobState.Failed, FailureKind.DiskFull, null, 125)]
    [InlineData(JobState.WorkerFailed, FailureKind.WorkerLost, null, 125)]
    [InlineData(JobState.Unschedulable, FailureKind.SchedulingTimeout, null, 125)]
    public void ExitCode_EveryEnd(JobState state, FailureKind? kind, int? code, int expected)
    {
        var failure = kind is { } known ? new JobFailure(known, "m") { ExitCode = code } : null;

        Assert.Equal(expected, ExitCodes.Of(Status(state, failure)));
    }

    [Fact]
    public void ExitCode_Signal_Is128AndItsNumber() =>
        Assert.Equal(139, ExitCodes.Of(Status(JobState.Failed, new JobFailure(FailureKind.Signal, "Signal: 11") { Signal = 11 })));

    [Fact]
    public void ExitCode_UnhandledException_Is1() =>
        Assert.Equal(1, ExitCodes.Of(Status(JobState.Failed, new JobFailure(FailureKind.ExitCode, "m") { ExitCode = 134, Exception = new("T", "m", "s") })));

    [Theory]
    [InlineData("bash", "bash")]
    [InlineData("/usr/bin/python3.11", "python3.11")]
    [InlineData("./My Tool.SH", "my-tool.sh")]
    [InlineData("...", "job")]
    [InlineData("ü", "job")]
    [InlineData("dir/", "dir")]
    public void JobName_FromProgram_IsOneThatIsAllowed(string program, string expected)
    {
        var name = JobRequestOptions.NameOf(program);

        Assert.Equal(expected, name);
        Assert.Null(JobName.Problem(name));
    }

    [Theory]
    [InlineData("90", 90.0)]
    [InlineData("90s", 90.0)]
    [InlineData("500ms", 0.5)]
    [InlineData("5m", 300.0)]
    [InlineData("1.5h", 5400.0)]
    [InlineData("2d", 172800.0)]
    [InlineData("2D", 172800.0)]
    [InlineData("", null)]
    [InlineData("0", null)]
    [InlineData("-1", null)]
    [InlineData("1e3", null)]
    [InlineData("5 minutes", null)]
    [InlineData("99999999999d", null)]
    public void Time_Text_IsReadOrRefused(string text, double? seconds) =>
        Assert.Equal(seconds, JobRequestOptions.TryReadTime(text)?.TotalSeconds);

    [Theory]
    [InlineData(0.35, "350 ms")]
    [InlineData(4.21, "4.2 s")]
    [InlineData(59, "59 s")]
    [InlineData(185, "3 min 5 s")]
    [InlineData(7800, "2 h 10 min")]
    [InlineData(443000, "5 d 3 h")]
    [InlineData(-1, "0 s")]
    public void Time_InWords(double seconds, string expected) => Assert.Equal(expected, Words.Time(TimeSpan.FromSeconds(seconds)));

    [Fact]
    public void Table_LineBreaksInCells_StayInTheirRow()
    {
        var table = new TextTable("A", "B");
        table.Add("1", "x\ny");
        table.Add("22", "");

        Assert.Equal(["A   B", "1   x y", "22"], table.Lines());
    }

    private static JobStatus Status(JobState state, JobFailure? failure) =>
        new() { Id = JobId.Parse("a-00000001"), Name = "a", Namespace = Namespace.Default, State = state, Failure = failure };
}
