using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Lambdas of this very program, run by a real worker in a process of their own.</summary>
public class DotnetJobTests
{
    [Fact]
    public async Task Lambda_WithCaptures_ReturnsItsResult()
    {
        await using var cluster = await TestCluster.StartAsync();
        var (number, text, list, record) = (20, "words", new List<int> { 1, 2, 3 }, new Pair("left", 7));

        var job = await cluster.Client.SubmitAsync(() => new Answer($"{text} {list.Sum()} {record.Name} {FlusterContext.Current.JobId}", number * 2 + record.Value - 5));
        var answer = await job.ResultAsync(TimeSpan.FromSeconds(60));

        Assert.Equal(new Answer($"words 6 left {job.Id}", 42), answer);
    }

    [Fact]
    public async Task Lambda_Throws_ExceptionIsTheReason()
    {
        await using var cluster = await TestCluster.StartAsync();

        var job = await cluster.Client.SubmitAsync(void () => throw new InvalidOperationException("no luck"));
        var status = await job.WaitAsync(TimeSpan.FromSeconds(60));

        Assert.Equal((JobState.Failed, 1), (status.State, status.ExitCode));
        Assert.Equal(("System.InvalidOperationException", "no luck"), (status.Failure!.Exception!.Type, status.Failure.Exception.Message));
        Assert.Contains(nameof(Lambda_Throws_ExceptionIsTheReason), status.Failure.Exception.Stack, StringComparison.Ordinal);
        Assert.Contains(status.Failure.LastLines, line => line.Contains("no luck", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Result_ThatIsLarge_TravelsAsABlob()
    {
        await using var cluster = await TestCluster.StartAsync();

        var job = await cluster.Client.SubmitAsync(() => new string('x', 1_000_000));

        Assert.Equal(new string('x', 1_000_000), await job.ResultAsync(TimeSpan.FromSeconds(60)));
    }

    [Fact]
    public async Task Result_ThatIsTooLarge_FailsWithTheReason()
    {
        await using var cluster = await TestCluster.StartAsync();

        var job = await cluster.Client.SubmitAsync(() => new string('x', 17 << 20));
        var status = await job.WaitAsync(TimeSpan.FromSeconds(60));

        Assert.Equal((JobState.Failed, FailureKind.Result), (status.State, status.Failure?.Kind));
        Assert.Contains("16 MiB", status.Failure!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cancellation_ReachesTheLambda()
    {
        await using var cluster = await TestCluster.StartAsync();
        var job = await cluster.Client.SubmitAsync(async cancellationToken =>
        {
            Console.WriteLine("ready");
            try
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                Console.WriteLine("heard it");
            }
        });
        await Eventually.True(async () => await cluster.LogAsync(job.Id, follow: false) == "ready", () => "the lambda runs");

        await job.TerminateAsync();

        Assert.Equal(JobState.Killed, (await job.WaitAsync(TimeSpan.FromSeconds(30))).State);
        Assert.Equal("ready\nheard it", await cluster.LogAsync(job.Id));
    }

    internal sealed record Pair(string Name, int Value);

    internal sealed record Answer(string Text, int Number);
}
