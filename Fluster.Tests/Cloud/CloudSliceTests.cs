using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>A job on a slice of the emulated Cloud TPU: a worker on each of its machines, and each task told which of them it is on (seed 003, stage 11).</summary>
public class CloudSliceTests
{
    private const int Machines = 4;

    /// <summary>The cloud takes the slice away: all four tasks run again, on another one.</summary>
    [ToolFact("curl", "setsid")]
    public async Task Job_OnASlice_IsToldWhereItRuns_AndRunsAgainAsAWholeWhenTheSliceIsTakenAway()
    {
        await using var cluster = await CloudCluster.StartAsync("tpu", emulator: ["--notice-ms", "1000"]);
        using var directory = new TemporaryDirectory();
        using var others = new TemporaryDirectory();
        var (told, end) = (directory.Path, others.File("end"));
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash($"env > {told}/.$FLUSTER_WORKER_ID; mv {told}/.$FLUSTER_WORKER_ID {told}/$FLUSTER_WORKER_ID; while [ ! -e {end} ]; do sleep 0.1; done", "train") with
        {
            Resources = ResourceSpec.WithTpu("v5litepod-16"),
        });

        var first = await SliceAsync(1);
        await cluster.Google.ControlAsync("preempt", new { name = first });
        var second = await SliceAsync(2);
        await File.WriteAllTextAsync(end, "");
        await cluster.SucceedsAsync(job);

        string[] slices = [first, second];
        foreach (var task in (await job.GetStatusAsync()).Tasks)
        {
            Assert.Equal(slices.Select(slice => $"{slice}-{task.Index}"), task.Attempts.Select(attempt => attempt.Worker.ToString()));
            Assert.Contains(task.Attempts[0].Failure?.KilledBy, new KillCause?[] { KillCause.Preemption, KillCause.Gang }); // whichever hears of it first takes the others along
        }

        Assert.Equal(
            slices.SelectMany(slice => new[] { $"queuedResources/{slice}", $"nodes/{slice}" }),
            (await cluster.MadeAsync()).Select(made => $"{made.Kind}/{made.Name}"));
        await cluster.EmptyAsync(); // neither node nor queued resource, of either

        // The name of the slice whose tasks all run, and what each of them was told.
        async Task<string> SliceAsync(int count)
        {
            await cluster.BecomesAsync(() => Directory.GetFiles(told).Count(IsTold) >= count * Machines, $"Slice {count} runs.");
            var slice = (await cluster.MadeAsync()).Last(made => made.Kind == "nodes").Name;
            var addresses = (await cluster.Google.StateAsync()).GetProperty("nodes").EnumerateArray().Single(node => node.GetProperty("id").GetString() == slice)
                .GetProperty("addresses").EnumerateArray().Select(address => address.GetString()!).ToList();
            Assert.Equal(Machines, addresses.Count);
            for (var index = 0; index < Machines; index++)
            {
                AssertTold(await File.ReadAllLinesAsync(Path.Combine(told, $"{slice}-{index}")), slice, index, addresses);
            }

            return slice;
        }
    }

    private static bool IsTold(string file) => Path.GetFileName(file)[0] != '.';

    private static void AssertTold(string[] lines, string slice, int index, IReadOnlyList<string> addresses)
    {
        var told = lines.Where(line => line.Contains('=', StringComparison.Ordinal)).Select(line => line.Split('=', 2)).ToLookup(pair => pair[0], pair => pair[1], StringComparer.Ordinal);
        foreach (var (name, value) in new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["FLUSTER_TASK_INDEX"] = $"{index}",
            ["FLUSTER_TASK_COUNT"] = $"{Machines}",
            ["TPU_NAME"] = slice,
            ["TPU_WORKER_ID"] = $"{index}",
            ["TPU_WORKER_HOSTNAMES"] = string.Join(',', addresses),
            ["TPU_CHIPS_PER_HOST_BOUNDS"] = "2,2,1",
            ["TPU_SKIP_MDS_QUERY"] = "1",
            ["JAX_PLATFORMS"] = "tpu,cpu",
            ["PJRT_DEVICE"] = "TPU",
            ["JAX_COORDINATOR_ADDRESS"] = $"{addresses[0]}:8476",
            ["JAX_NUM_PROCESSES"] = $"{Machines}",
            ["JAX_PROCESS_ID"] = $"{index}",
            ["MEGASCALE_SLICE_ID"] = "0",
            ["MEGASCALE_NUM_SLICES"] = "1",
        })
        {
            Assert.Equal($"{name}={value}", $"{name}={told[name].FirstOrDefault()}");
        }
    }
}
