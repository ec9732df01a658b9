using System.Globalization;
using System.Runtime.Versioning;

namespace Fluster.Tests;

/// <summary>Kills parts of a cluster at moments that a seeded random source chooses, and starts them again at once.</summary>
[SupportedOSPlatform("linux")]
internal sealed class ChaosKills(TestCluster cluster, Random random)
{
    private const int LongestPause = 1500; // milliseconds

    private readonly SortedDictionary<string, int> _counts = new(StringComparer.Ordinal);

    public int Rounds { get; private set; }

    public string Summary => string.Join(", ", _counts.Select(count => string.Create(CultureInfo.InvariantCulture, $"{count.Value} {count.Key}")));

    /// <summary>Waits for a moment, and kills one part or several.</summary>
    public async Task RoundAsync()
    {
        await Task.Delay(TimeSpan.FromMilliseconds(random.Next(LongestPause)), TimeProvider.System);
        var parts = new List<Func<Task>>();
        foreach (var worker in cluster.Workers)
        {
            parts.Add(() => KillWorkerAsync(worker));
            parts.Add(() => KillHelper(worker, "fluster-guard", "guards"));
            parts.Add(() => KillHelper(worker, "fluster-launch", "launchers"));
        }

        // One, two or four of them; every third time the controller, too.
        var chosen = parts.OrderBy(_ => random.Next()).Take(random.Next(5) switch { < 3 => 1, 3 => 2, _ => 4 }).ToList();
        if (random.Next(3) == 0)
        {
            chosen.Add(KillControllerAsync);
        }

        await Task.WhenAll(chosen.Select(kill => kill()));
        Rounds++;
    }

    /// <summary>Everything has come back.</summary>
    public async Task SettledAsync()
    {
        await cluster.Controller.HealthyAsync();
        await cluster.WorkersConnectedAsync();
    }

    /// <summary>All that jobs held is free, and each worker has its three processes and no more.</summary>
    public async Task VerifyCapacityAsync()
    {
        await cluster.CapacityFreeAsync();
        foreach (var worker in cluster.Workers)
        {
            await Eventually.True(
                () => Helpers(worker).Order(StringComparer.Ordinal).SequenceEqual(["fluster-guard", "fluster-launch"]),
                () => $"The helpers of {worker.Id} are: {string.Join(", ", Helpers(worker))}");
        }
    }

    private static IEnumerable<string> Helpers(WorkerProcess worker) => RunningProcesses.HelpersOf(worker).Select(RunningProcesses.Name);

    private async Task KillControllerAsync()
    {
        Assert.False(cluster.Controller.Process.HasExited, $"The controller ended by itself.\n{cluster.Controller.Process.Output}");
        await cluster.Controller.KillAsync();
        cluster.Controller.Start();
        Count("controllers");
    }

    private async Task KillWorkerAsync(WorkerProcess worker)
    {
        Assert.False(worker.Process.HasExited, $"{worker.Id} ended by itself.\n{worker.Process.Output}");
        await worker.KillAsync();
        worker.Start();
        Count("workers");
    }

    private Task KillHelper(WorkerProcess worker, string name, string counted)
    {
        foreach (var helper in RunningProcesses.HelpersOf(worker).Where(helper => RunningProcesses.Name(helper) == name))
        {
            try
            {
                Signals.Send(helper, Signals.Kill);
                Count(counted);
            }
            catch (InvalidOperationException)
            {
                // It was just gone.
            }
        }

        return Task.CompletedTask;
    }

    private void Count(string part)
    {
        lock (_counts)
        {
            _counts[part] = _counts.GetValueOrDefault(part) + 1;
        }
    }
}
