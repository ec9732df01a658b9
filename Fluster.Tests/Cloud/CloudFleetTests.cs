using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Many jobs on several machines of the emulated Compute Engine, and jobs that speak with each other across them.</summary>
public class CloudFleetTests
{
    private const int Jobs = 50;
    private const int MostMachines = 8;

    [ToolFact("curl", "setsid")]
    public async Task FiftyJobs_OfThreeSizes_AreDoneByEightMachinesOfThreeShapes()
    {
        await using var cluster = await CloudCluster.StartAsync(settings: new Dictionary<string, string?>(StringComparer.Ordinal) { ["Max"] = $"{MostMachines}", ["Idle"] = "00:00:03" });
        var jobs = new List<JobHandle>();

        // The first eight fill a machine each; the others go where there is room.
        foreach (var cores in new[] { 16, 8, 4, 16, 8, 4, 8, 4 })
        {
            jobs.Add(await SubmitAsync(cores));
        }

        for (var i = jobs.Count; i < Jobs; i++)
        {
            jobs.Add(await SubmitAsync((i % 4) switch { 0 => 16, 1 => 8, 2 => 4, _ => 1 }));
        }

        var workers = new HashSet<string>(StringComparer.Ordinal);
        foreach (var job in jobs)
        {
            await cluster.SucceedsAsync(job);
            workers.Add(Assert.Single((await job.GetStatusAsync()).Tasks[0].Attempts).Worker.ToString());
        }

        var made = await cluster.MadeAsync();
        Assert.Equal(MostMachines, made.Count);
        Assert.Equal(["n2-custom-16-8192", "n2-custom-8-4096", "n2-standard-4"], made.Select(machine => machine.Shape).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
        Assert.Equal(made.Select(machine => machine.Name).Order(StringComparer.Ordinal), workers.Order(StringComparer.Ordinal));
        await cluster.EmptyAsync();

        Task<JobHandle> SubmitAsync(int cores) => cluster.Client.SubmitAsync(TestCluster.Bash("sleep 0.2", $"job-{jobs.Count}") with { Resources = ResourceSpec.WithCpu(cores, ByteSize.FromGiB(1)) });
    }

    [ToolFact("curl", "setsid")]
    public async Task Job_OnOneMachine_CallsAnActorInAJobOnAnother()
    {
        await using var cluster = await CloudCluster.StartAsync();
        var whole = ResourceSpec.WithCpu(4, ByteSize.FromGiB(1));
        var server = await CounterJobs.ServeAsync(cluster.Client, whole);
        var caller = await CounterJobs.CallAsync(cluster.Client, whole);
        await cluster.SucceedsAsync(caller);

        var answer = (await caller.ResultAsync()).Split(' ');

        var host = (await server.GetStatusAsync()).Tasks[0].Attempts[0].Worker.ToString();
        Assert.Equal("3", answer[1]);
        Assert.NotEqual(host, answer[0]);
        Assert.Equal(await cluster.AddressAsync(host), new Uri(answer[2]).Host); // a machine's own address, not that of this computer
        Assert.Equal(new[] { host, answer[0] }.Order(StringComparer.Ordinal), (await cluster.MadeAsync()).Select(machine => machine.Name).Order(StringComparer.Ordinal));
        await cluster.Client.TerminateAsync(server.Id);
        await cluster.EmptyAsync();
    }
}
