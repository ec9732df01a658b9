using System.Globalization;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using Fluster.Cluster;
using Grpc.Core;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>A worker that was given up comes back, and controllers that are not its own speak to it.</summary>
[SupportedOSPlatform("linux")]
public class ZombieTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly string _seconds = string.Create(CultureInfo.InvariantCulture, $"300.{RandomNumberGenerator.GetInt32(int.MaxValue)}");

    [Fact]
    public async Task WorkerStoppedPastLost_NothingOfItsAttemptsCounts_AndTheirProcessesAreGoneSoonAfterItGoesOn()
    {
        await using var cluster = await TestCluster.StartAsync(controllerSettings: new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["Fluster__Controller__WorkerSuspectSeconds"] = "3",
            ["Fluster__Controller__WorkerLostSeconds"] = "6",
        });
        using var directory = new TemporaryDirectory();
        var stopped = cluster.Workers[0];

        // Every attempt writes down who it is. The old one of "ends" succeeds while its worker is stopped, the old one of "runs" goes on.
        var jobs = new List<JobHandle>();
        foreach (var name in (string[])["ends", "runs"])
        {
            jobs.Add(await cluster.Client.SubmitAsync(TestCluster.Bash(
                $"echo $FLUSTER_WORKER_ID $FLUSTER_TOKEN >> {directory.File(name)}; (setsid sleep {_seconds} &); "
                + $"if [ $FLUSTER_WORKER_ID = {stopped.Id} ]; then until [ -e {directory.File($"old-{name}")} ]; do sleep 0.05; done; touch {directory.File($"old-{name}-ended")}; exit 0; fi; "
                + $"until [ -e {directory.File("go")} ]; do sleep 0.05; done; exit 3",
                name)));
        }

        await Eventually.True(() => Runs(directory, "ends") == 1 && Runs(directory, "runs") == 1, "both jobs run");
        await cluster.AddWorkerAsync();

        Signals.Send(stopped.Process.Id, Signals.Stop);
        await File.WriteAllTextAsync(directory.File("old-ends"), "");
        await Eventually.True(() => File.Exists(directory.File("old-ends-ended")) && Runs(directory, "ends") == 2 && Runs(directory, "runs") == 2, "both jobs run again elsewhere");
        foreach (var name in (string[])["ends", "runs"])
        {
            await RefusedAsync(cluster.Controller, File.ReadLines(directory.File(name)).First().Split(' ')[1]);
        }

        var old = RunningProcesses.OfHome(stopped.Home, line => line.Contains("sleep\0" + _seconds, StringComparison.Ordinal));
        Assert.NotEmpty(old);
        Signals.Send(stopped.Process.Id, Signals.Continue);
        await ProcessTree.GoneAsync(old, TimeSpan.FromSeconds(10));
        await cluster.CapacityFreeAsync(stopped.Id); // it has told how they ended
        foreach (var job in jobs)
        {
            Assert.Equal(JobState.Running, (await job.GetStatusAsync()).State);
        }

        await File.WriteAllTextAsync(directory.File("go"), "");
        foreach (var job in jobs)
        {
            var status = await job.WaitAsync(s_patience);
            Assert.Equal((JobState.Failed, 3), (status.State, status.ExitCode));
            Assert.Equal([JobState.WorkerFailed, JobState.Failed], status.Tasks.Single().Attempts.Select(attempt => attempt.State));
        }
    }

    [Fact]
    public async Task ControllerWithAnEmptyDirectoryAtTheSameAddress_NothingIsKilled()
    {
        await using var cluster = await TestCluster.StartAsync();
        using var directory = new TemporaryDirectory();
        var (job, process) = await StartJobAsync(cluster, directory);

        await cluster.Controller.KillAsync();
        Directory.Move(cluster.Controller.DataDirectory, directory.File("own"));
        await cluster.Controller.StartAsync();
        await RefusedTwiceAsync(cluster, "belongs to cluster");
        Assert.True(ProcessTree.IsAlive(process));

        await EndsUndisturbedAfterTheReturnAsync(cluster, job, directory);
    }

    [Fact]
    public async Task CopyOfAnEarlierControllerAtTheSameAddress_NothingIsKilled()
    {
        await using var cluster = await TestCluster.StartAsync();
        using var directory = new TemporaryDirectory();
        await cluster.Controller.KillAsync();
        Copy(cluster.Controller.DataDirectory, directory.File("copy"));
        await cluster.Controller.StartAsync();
        await cluster.Controller.KillAsync();
        await cluster.Controller.StartAsync();
        var (job, process) = await StartJobAsync(cluster, directory);

        await cluster.Controller.KillAsync();
        Directory.Move(cluster.Controller.DataDirectory, directory.File("own"));
        Directory.Move(directory.File("copy"), cluster.Controller.DataDirectory);
        await cluster.Controller.StartAsync();
        await RefusedTwiceAsync(cluster, "has seen epoch");
        Assert.True(ProcessTree.IsAlive(process));

        await EndsUndisturbedAfterTheReturnAsync(cluster, job, directory);
    }

    /// <summary>The controller gets its own data directory back, and the job that ran all the time ends under it.</summary>
    private static async Task EndsUndisturbedAfterTheReturnAsync(TestCluster cluster, JobHandle job, TemporaryDirectory directory)
    {
        await cluster.Controller.KillAsync();
        Directory.Delete(cluster.Controller.DataDirectory, recursive: true);
        Directory.Move(directory.File("own"), cluster.Controller.DataDirectory);
        await cluster.Controller.StartAsync();
        await EndsUndisturbedAsync(job, directory);
    }

    private static int Runs(TemporaryDirectory directory, string name) => File.Exists(directory.File(name)) ? File.ReadAllLines(directory.File(name)).Length : 0;

    /// <summary>With the token of an attempt that was given up nobody registers an address or submits a child.</summary>
    private static async Task RefusedAsync(ControllerProcess controller, string token)
    {
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        var register = await Assert.ThrowsAsync<RpcException>(async () => await service.RegisterEndpointAsync(
            new V1.RegisterEndpointRequest { Endpoint = new V1.Endpoint { EndpointId = Guid.NewGuid().ToString("N"), Name = "old", Address = "http://127.0.0.1:1" } }, controller.Headers(token)));
        var list = await Assert.ThrowsAsync<RpcException>(async () => await service.ListJobsAsync(new V1.ListJobsRequest(), controller.Headers(token)));
        Assert.All([register, list], refused => Assert.True(refused.StatusCode is StatusCode.PermissionDenied or StatusCode.Unauthenticated or StatusCode.FailedPrecondition, refused.ToString()));
    }

    private async Task<(JobHandle Job, int Process)> StartJobAsync(TestCluster cluster, TemporaryDirectory directory)
    {
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash($"sleep {_seconds} & echo $! >> {directory.File("started")}; until [ -e {directory.File("go")} ]; do sleep 0.05; done; exit 4"));
        await Eventually.True(() => Runs(directory, "started") == 1, () => $"The job does not run. {cluster.Workers[0].Process.Output}");
        return (job, int.Parse(File.ReadAllLines(directory.File("started")).Single(), CultureInfo.InvariantCulture));
    }

    private static Task RefusedTwiceAsync(TestCluster cluster, string words) => Eventually.True(
        () => cluster.Workers[0].Process.Output.Split(words).Length > 2,
        () => cluster.Workers[0].Process.Output);

    private static async Task EndsUndisturbedAsync(JobHandle job, TemporaryDirectory directory)
    {
        await File.WriteAllTextAsync(directory.File("go"), "");
        var status = await job.WaitAsync(s_patience);
        Assert.Equal((JobState.Failed, 4), (status.State, status.ExitCode));
        Assert.Single(status.Tasks.Single().Attempts);
        Assert.Equal(1, Runs(directory, "started"));
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in Directory.GetFiles(from))
        {
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        }

        foreach (var directory in Directory.GetDirectories(from))
        {
            Copy(directory, Path.Combine(to, Path.GetFileName(directory)));
        }
    }
}
