using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Commands from submit to result through a real controller and real workers.</summary>
public class CommandJobTests
{
    [Fact]
    public async Task Command_Fails_WithItsExitCodeLogsAndLastLines()
    {
        await using var cluster = await TestCluster.StartAsync();

        var job = await cluster.Client.SubmitAsync(TestCluster.Bash("echo $FLUSTER_JOB_ID; echo oops >&2; exit 3"));
        var status = await job.WaitAsync(TimeSpan.FromSeconds(30));

        Assert.Equal(JobState.Failed, status.State);
        Assert.Equal((FailureKind.ExitCode, "Exit code: 3", 3), (status.Failure!.Kind, status.Failure.Message, status.Failure.ExitCode));
        Assert.Equal(["oops"], status.Failure.LastLines.Where(line => line == "oops"));
        Assert.Equal(job.Id.ToString(), await cluster.LogAsync(job.Id));
        Assert.Equal("oops", await cluster.LogAsync(job.Id, JobLogStream.Stderr));
    }
}
