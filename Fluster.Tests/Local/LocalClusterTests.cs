using Fluster.Cluster;
using Fluster.Local;

namespace Fluster.Tests;

/// <summary>A controller and a worker inside this process: what they leave, where they keep it, and who finds them (seed 003, stage 6). The rest are scenarios.</summary>
public sealed class LocalClusterTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Dispose_KillsTheJobs_AndLeavesNeitherProcessesNorFiles()
    {
        string own;
        await using (var cluster = await LocalCluster.StartAsync())
        {
            own = cluster.DataDirectory;
            Assert.NotEmpty(RunningProcesses.Where(line => line.Contains(own, StringComparison.Ordinal))); // its guard and launcher
            var job = await cluster.Client.SubmitAsync(TestCluster.Bash("echo ready; sleep 617; sleep 618"));
            Assert.Equal("ready", (await Scenario.FirstLineAsync(job)).Text);
            await Eventually.True(() => RunningProcesses.Where(line => line is "sleep\0617\0").Count > 0, "The job's process does not run.");
        }

        Assert.Empty(RunningProcesses.Where(line => line is "sleep\0617\0" or "sleep\0618\0" || line.Contains(own, StringComparison.Ordinal)));
        Assert.False(Directory.Exists(own));
    }

    [Fact]
    public async Task NamedDirectory_IsKept_GoesOn_AndIsOneClustersAtATime()
    {
        using var directory = new TemporaryDirectory();
        var options = new LocalClusterOptions { DataDirectory = directory.File("cluster"), Namespace = Namespace.Parse("mine") };
        JobId job;
        await using (var cluster = await LocalCluster.StartAsync(options))
        {
            var handle = await cluster.Client.SubmitAsync(() => FlusterContext.Current.Namespace.ToString(), new JobOptions { Name = "first" });
            Assert.Equal("mine", await handle.ResultAsync(s_patience));
            job = handle.Id;
            var error = await Assert.ThrowsAsync<LocalClusterException>(() => LocalCluster.StartAsync(options));
            Assert.Contains("another controller holds it", error.Message, StringComparison.Ordinal);
        }

        await using var again = await LocalCluster.StartAsync(options);
        Assert.Equal(JobState.Succeeded, (await again.Client.GetStatusAsync(job)).State);
        Assert.Equal(2, await (await again.Client.SubmitAsync(() => 2)).ResultAsync(s_patience));
    }

    [Fact]
    public async Task ConnectOrStart_WithoutACluster_StartsOneThatEndsWithTheClient()
    {
        var client = await LocalCluster.ConnectOrStartAsync();
        Assert.Equal(3, await (await client.SubmitAsync(() => 3)).ResultAsync(s_patience));

        await client.DisposeAsync();

        await using var late = new FlusterClient(new FlusterClientOptions { Address = client.Address });
        Assert.Equal(ClusterError.Unavailable, (await Assert.ThrowsAsync<ClusterException>(() => late.ListAsync().ToListAsync().AsTask())).Error);
    }

    [Fact]
    public async Task ClientOptions_ReachTheCluster_AlsoFromOutside()
    {
        await using var cluster = await LocalCluster.StartAsync(new LocalClusterOptions { MaxConcurrentJobs = 1 });
        await using var client = await FlusterClient.ConnectAsync(cluster.ClientOptions);
        using var http = new HttpClient();

        var first = await client.SubmitAsync(TestCluster.Bash("echo ready; sleep 619"));
        await Scenario.FirstLineAsync(first);
        var second = await client.SubmitAsync(TestCluster.Bash("exit 0"));
        await Eventually.True(async () => (await client.ExplainAsync(second.Id)).Cause == PendingCause.Concurrency, () => "The second one does not wait for the first one's place.");

        Assert.Equal(cluster.Address, client.Address);
        Assert.True((await http.GetAsync($"{cluster.HttpAddress}/health")).IsSuccessStatusCode);
    }

    [Fact]
    public void FindRunning_OfAContextFile_LeavesOutWhatAnEndedProgramLeft()
    {
        using var directory = new TemporaryDirectory();
        var path = directory.File("context.json");
        var (own, started) = (Environment.ProcessId, ClusterContextEntry.StartOf(Environment.ProcessId));

        Assert.Null(ClientEnvironment.FindRunning(path));
        Assert.Null(Found($"\"pid\": {own}, \"started\": {started - 1000}")); // another process with the number of the old one
        Assert.Null(Found($"\"pid\": {int.MaxValue}, \"started\": {started}"));
        Assert.Equal("http://127.0.0.1:7071", Found($"\"pid\": {own}, \"started\": {started}")?.Address);
        Assert.Equal("http://127.0.0.1:7071", Found("\"namespace\": \"a-login\"")?.Address);

        FlusterClientOptions? Found(string more)
        {
            File.WriteAllText(path, $$"""{ "current": "default", "contexts": { "default": { "address": "http://127.0.0.1:7071", {{more}} } } }""");
            return ClientEnvironment.FindRunning(path);
        }
    }
}
