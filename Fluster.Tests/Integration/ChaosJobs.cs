using System.Globalization;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>What was seen of jobs under chaos.</summary>
internal sealed record ChaosFigures(int Jobs = 0, int Attempts = 0, int Lost = 0, int Doubled = 0, int Orphans = 0)
{
    public static ChaosFigures operator +(ChaosFigures left, ChaosFigures right) => new(
        left.Jobs + right.Jobs, left.Attempts + right.Attempts, left.Lost + right.Lost, left.Doubled + right.Doubled, left.Orphans + right.Orphans);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Jobs} jobs, {Attempts} attempts, {Lost} lost, {Doubled} fences started twice, {Orphans} orphans");
}

/// <summary>Short jobs that write down when they start and end, and leave a daemon behind. Afterwards: what became of them.</summary>
[SupportedOSPlatform("linux")]
internal sealed class ChaosJobs(TestCluster cluster, Random random) : IAsyncDisposable
{
    private const int PerRound = 5;
    private const int LongestRun = 3000; // milliseconds

    // A fork that outlives its parent in a session of its own, without any of our variables. Ends by itself should a test be cut off.
    private const string Daemon = "perl -e 'use POSIX; for (1..2) { exit if fork; setsid } exec qw(env -i sleep), $ARGV[0]' ";

    // Dead launchers are early failures: all workers may be in quarantine at once, for minutes after many of them.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(300);

    private readonly TemporaryDirectory _directory = new();
    private readonly string _seconds = string.Create(CultureInfo.InvariantCulture, $"120.{RandomNumberGenerator.GetInt32(int.MaxValue)}");
    private readonly List<Task<(JobHandle Handle, int ExitCode)>> _jobs = [];

    /// <summary>Submits some jobs, and does not wait: the controller may be away.</summary>
    public void SubmitSome()
    {
        for (var i = 0; i < PerRound; i++)
        {
            var (index, exitCode, run) = (_jobs.Count, random.Next(3), random.Next(LongestRun));
            var script = string.Create(
                CultureInfo.InvariantCulture,
                $"echo {index} $FLUSTER_FENCE >> {_directory.File("starts")}; {Daemon} {_seconds}; sleep {run / 1000.0}; echo {index} $FLUSTER_FENCE >> {_directory.File("ends")}; exit {exitCode}");
            var request = TestCluster.Bash(script, string.Create(CultureInfo.InvariantCulture, $"chaos{index}")) with { MaxPreemptionRetries = 1000 };
            _jobs.Add(SubmitAsync(request, exitCode));
        }
    }

    /// <summary>Waits for every job and looks for anything wrong.</summary>
    public async Task<ChaosFigures> VerifyAsync()
    {
        var starts = new List<string>();
        var problems = new List<string>();
        var attempts = 0;
        var lost = 0;
        var known = new HashSet<string>(StringComparer.Ordinal);
        for (var index = 0; index < _jobs.Count; index++)
        {
            var (handle, exitCode) = await _jobs[index];
            JobStatus status;
            try
            {
                status = await handle.WaitAsync(s_patience);
            }
            catch (Exception exception) when (exception is TimeoutException or ClusterException)
            {
                lost++;
                problems.Add($"{handle.Id} is lost: {exception.Message} {await StatusAsync(handle)}");
                continue;
            }

            var history = status.Tasks.Single().Attempts;
            attempts += history.Count;
            known.UnionWith(history.Select(attempt => $"{index} {attempt.Fence}"));
            if (status.State != (exitCode == 0 ? JobState.Succeeded : JobState.Failed) || status.ExitCode != exitCode)
            {
                lost++;
                problems.Add($"{handle.Id} should have ended with {exitCode}, and is {Describe(status)}.");
            }
            else if (!Lines("ends").Contains($"{index} {history[^1].Fence}"))
            {
                problems.Add($"{handle.Id} has ended, and its last attempt has not: {Describe(status)}.");
            }
        }

        starts.AddRange(Lines("starts"));
        var doubled = starts.GroupBy(line => line, StringComparer.Ordinal).Where(line => line.Count() > 1).Select(line => line.Key).ToList();
        problems.AddRange(doubled.Select(line => $"Started twice: job and fence {line}."));
        problems.AddRange(starts.Except(known, StringComparer.Ordinal).Select(line => $"Started and not known to the controller: job and fence {line}."));
        var orphans = await OrphansAsync();
        problems.AddRange(orphans.Select(process => $"Process {process} is left."));
        Assert.True(problems.Count == 0, $"{string.Join('\n', problems)}\n\n{cluster.Controller.Process.Output}\n\n{string.Join("\n\n", cluster.Workers.Select(worker => worker.Process.Output))}");
        return new ChaosFigures(_jobs.Count, attempts, lost, doubled.Count, orphans.Count);
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_jobs).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        _directory.Dispose();
    }

    private async Task<(JobHandle Handle, int ExitCode)> SubmitAsync(JobRequest request, int exitCode) => (await cluster.Client.SubmitAsync(request), exitCode);

    /// <summary>Every job has ended, and so have its processes: at once, but for the moment between two looks.</summary>
    private async Task<IReadOnlyList<int>> OrphansAsync()
    {
        var since = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var left = RunningProcesses.Where(line => line.Contains("sleep\0" + _seconds, StringComparison.Ordinal));
            if (left.Count == 0 || TimeProvider.System.GetElapsedTime(since) > TimeSpan.FromSeconds(5))
            {
                return left;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        }
    }

    private string[] Lines(string file) => File.Exists(_directory.File(file)) ? File.ReadAllLines(_directory.File(file)) : [];

    private static async Task<string> StatusAsync(JobHandle handle)
    {
        try
        {
            return Describe(await handle.GetStatusAsync());
        }
        catch (ClusterException exception)
        {
            return exception.Message;
        }
    }

    private static string Describe(JobStatus status) =>
        $"{status.State} ({status.Failure?.Message} {status.PendingReason}), attempts {string.Join(", ", status.Tasks.SelectMany(task => task.Attempts).Select(attempt => $"{attempt.Fence} on {attempt.Worker}: {attempt.State} {attempt.Failure?.Kind} {attempt.Failure?.Message}"))}";
}
