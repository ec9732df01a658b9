using System.Globalization;
using System.Text.Json;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>
/// One schedule of faults, all of it from its seed: jobs on machines and slices of a cloud that refuses, fails, loses answers, forgets and takes away, under a controller that is killed.
/// </summary>
internal sealed class CloudFaultSchedule(int seed)
{
    private const int MostMachines = 3;

    private static readonly string[] s_zones = [EmulatorHost.Zone, EmulatorHost.OtherZone, "us-east1-c", "europe-west4-a", "us-west1-b"];

    /// <summary>Parts of paths: what makes and removes machines and slices, and what tells of both.</summary>
    private static readonly string[] s_paths = ["/instances", "/queuedResources", "/nodes", "/operations", ""];

    private readonly SimulationDice _dice = new((ulong)(uint)seed * 1_000_003); // neighbours would roll the same, one roll apart
    private readonly List<string> _steps = [];

    /// <summary>What was done, in order.</summary>
    public string Steps => string.Join("; ", _steps);

    /// <summary>How many requests of the controller the cloud made to fail.</summary>
    public int Failures { get; private set; }

    /// <summary>How often the controller was killed.</summary>
    public int Kills { get; private set; }

    /// <summary>Runs it to the end and checks what must hold then.</summary>
    /// <returns>What did not hold; null: nothing.</returns>
    public async Task<string?> FailureAsync()
    {
        try
        {
            await RunAsync();
            return null;
        }
#pragma warning disable CA1031 // Whatever it is: with its seed.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            return $"FLUSTER_TESTS_SEED={seed} ({Steps}): {exception}";
        }
    }

    private async Task RunAsync()
    {
        var operation = _dice.Any([50, 300, 1_000]);
        var settings = new Dictionary<string, string?>(StringComparer.Ordinal) { ["Max"] = $"{MostMachines}", ["Spot"] = "true", ["TpuQueueTimeout"] = "00:00:03" };
        for (var index = 0; index < s_zones.Length; index++)
        {
            settings[$"Zones__{index}"] = s_zones[index];
        }

        await using var cluster = await CloudCluster.StartAsync(
            "gce tpu", settings, new Dictionary<string, string?>(StringComparer.Ordinal) { ["WorkerSuspectSeconds"] = "5" }, ["--operation-ms", operation.ToString(CultureInfo.InvariantCulture), "--notice-ms", "500"]);
        for (var faults = _dice.Between(2, 4); faults > 0; faults--)
        {
            await BreakAsync(cluster.Google);
        }

        var jobs = new List<JobHandle>();
        for (var count = _dice.Between(1, 3); count > 0; count--)
        {
            jobs.Add(await SubmitAsync(cluster, _dice.Any([1, 4, 8]), variant: null));
        }

        if (_dice.Chance(60))
        {
            jobs.Add(await SubmitAsync(cluster, 0, _dice.Any(["v5litepod-4", "v4-16"])));
        }

        for (var kills = _dice.Between(1, 2); kills > 0; kills--)
        {
            await KillAsync(cluster);
            await BreakAsync(cluster.Google);
        }

        if (_dice.Chance(50))
        {
            await TakeAwayAsync(cluster.Google);
        }

        jobs.Add(await SubmitAsync(cluster, _dice.Any([1, 4, 8]), variant: null));
        foreach (var job in jobs)
        {
            await cluster.SucceedsAsync(job);
        }

        await cluster.EmptyAsync();
        Check(await cluster.MadeAsync());
        Failures = (await cluster.Google.StateAsync()).GetProperty("failures").GetInt32();
    }

    private static void Check(IReadOnlyList<MadeThing> made)
    {
        Assert.NotEmpty(made);
        var twice = made.Where(thing => !thing.Failed) // a cloud that forgot the request fails at it again
            .GroupBy(thing => (thing.Kind, thing.Name)).Where(group => group.Count() > 1).Select(group => $"{group.Key} {group.Count()} times").ToList();
        Assert.True(twice.Count == 0, $"Made: {string.Join(", ", twice)}.");
        var most = made.MaxBy(thing => thing.Present)!;
        Assert.True(most.Present <= MostMachines, $"With {most} there were {most.Present} at a time, and {MostMachines} are allowed.");
    }

    private Task<JobHandle> SubmitAsync(CloudCluster cluster, int cores, string? variant)
    {
        var seconds = string.Create(CultureInfo.InvariantCulture, $"{_dice.Between(0, 15) / 10.0}");
        var resources = variant is not null ? ResourceSpec.WithTpu(variant) : ResourceSpec.WithCpu(cores, ByteSize.FromGiB(1)) with { Preemptible = _dice.Chance(50) };
        _steps.Add($"job {variant ?? $"{cores} cores"}{(resources.Preemptible ? " preemptible" : "")} {seconds} s");
        return cluster.Client.SubmitAsync(TestCluster.Bash($"sleep {seconds}", $"job-{_steps.Count}") with { Resources = resources });
    }

    /// <summary>One thing goes wrong from here on, for so many requests, or for good.</summary>
    private Task BreakAsync(EmulatorHost google) => _dice.Roll(12) switch
    {
        0 => DoAsync(google, "quota", new { metric = "CPUS", where = "us-central1", limit = _dice.Any([0, 4, 8]) }),
        1 => DoAsync(google, "ratelimit", new { count = 1, status = _dice.Any([403, 429]), retryAfterSeconds = 1 }),
        2 => DoAsync(google, "stockout", new { zone = _dice.Any(s_zones[..2]), queue = _dice.Chance(50) }),
        3 => DoAsync(google, "unreachable", new { zones = s_zones[..2] }),
        4 => DoAsync(google, "page-size", new { most = 1 }),
        5 => DoAsync(google, "forget", new { }),
        6 => DoAsync(google, "fail-next", new { method = "POST", path = _dice.Any(s_paths), mode = _dice.Any(["status", "status-after"]), status = 409, reason = "alreadyExists", message = "It already exists." }),
        7 => DoAsync(google, "fail-next", new { method = "POST", path = "/instances", mode = _dice.Any(["operation", "operation-leave"]), code = _dice.Any(["ZONE_RESOURCE_POOL_EXHAUSTED", "INTERNAL_ERROR", "RESOURCE_NOT_FOUND"]) }),
        8 => DoAsync(google, "fail-next", new { method = "DELETE", path = "", mode = _dice.Any(["operation", "drop", "drop-after", "status", "status-after"]), status = 503 }),
        _ => DoAsync(google, "fail-next", new { method = _dice.Any(["POST", "POST", "GET", ""]), path = _dice.Any(s_paths), count = _dice.Between(1, 2), mode = _dice.Any(["drop", "drop-after", "status", "status-after"]), status = _dice.Any([500, 502, 503]) }),
    };

    private Task DoAsync(EmulatorHost google, string name, object request)
    {
        _steps.Add($"{name} {JsonSerializer.Serialize(request)}");
        return google.ControlAsync(name, request);
    }

    /// <summary>SIGKILL: at once, in the midst of a create, or while something boots or runs.</summary>
    private async Task KillAsync(CloudCluster cluster)
    {
        var moment = _dice.Roll(3);
        var pause = TimeSpan.FromMilliseconds(_dice.Between(0, 1_500));
        if (moment == 1)
        {
            await WithinAsync(TimeSpan.FromSeconds(5), async () => (await cluster.Google.StateAsync()) is var state
                && (state.GetProperty("instances").EnumerateArray().Any(instance => instance.GetProperty("status").GetString() is "PROVISIONING" or "STAGING") || state.GetProperty("queuedResources").GetArrayLength() > 0));
        }
        else if (moment == 2)
        {
            await Task.Delay(pause, TimeProvider.System);
        }

        _steps.Add(moment switch { 0 => "kill", 1 => "kill in mid-create", _ => $"kill after {pause.TotalMilliseconds} ms" });
        Kills++;
        await cluster.Controller.KillAsync();
        await cluster.Controller.StartAsync();
    }

    /// <summary>The cloud takes a machine or a slice, if one comes in time.</summary>
    private async Task TakeAwayAsync(EmulatorHost google)
    {
        var names = new List<string>();
        await WithinAsync(TimeSpan.FromSeconds(5), async () =>
        {
            var state = await google.StateAsync();
            names =
            [
                .. state.GetProperty("instances").EnumerateArray().Where(instance => instance.GetProperty("status").GetString() == "RUNNING").Select(instance => instance.GetProperty("name").GetString()!),
                .. state.GetProperty("nodes").EnumerateArray().Where(node => node.GetProperty("state").GetString() == "READY").Select(node => node.GetProperty("id").GetString()!),
            ];
            return names.Count > 0;
        });
        if (names.Count > 0)
        {
            _steps.Add("a machine is taken away");
            await google.TryControlAsync("preempt", new { name = _dice.Any(names) });
        }
    }

    private static async Task WithinAsync(TimeSpan patience, Func<Task<bool>> condition)
    {
        for (var start = TimeProvider.System.GetTimestamp(); !await condition() && TimeProvider.System.GetElapsedTime(start) < patience;)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        }
    }
}
