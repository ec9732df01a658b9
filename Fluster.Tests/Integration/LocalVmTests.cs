using Fluster.Backends;
using Fluster.Cluster;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>Machines that are worker processes: a controller with no worker at the start gets them, uses them, loses them and gives them back.</summary>
public class LocalVmTests
{
    public static string WorkerProgram { get; } = Path.Combine(
        Repository.Root, "Fluster.Worker", "bin", AppContext.BaseDirectory.Contains("/Release/", StringComparison.Ordinal) ? "Release" : "Debug", "net10.0", "Fluster.Worker.dll");

    [Fact]
    public async Task Job_WithoutAnyWorker_GetsAMachine_WhichGoesWhenItHasNothingToDo()
    {
        await using var cluster = await VmCluster.StartAsync(idle: "00:00:01");
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash("echo $FLUSTER_WORKER_ID"));

        Assert.Equal(JobState.Succeeded, (await job.WaitAsync().WaitAsync(VmCluster.Patience)).State);
        var worker = (await cluster.LogAsync(job.Id)).Trim();
        Assert.Matches("^fluster-[0-9a-f]{8}$", worker);
        Assert.True(File.Exists(Path.Combine(cluster.Machines, worker, "machine.json")) || (await cluster.ListAsync()).Vms.Count == 0);
        await cluster.EmptyAsync();
    }

    [Fact]
    public async Task Machine_ThatIsKilledInMidJob_IsReplaced_AndTheJobRunsOnAnother()
    {
        await using var cluster = await VmCluster.StartAsync(idle: "00:00:01", lostSeconds: 3);
        using var directory = new TemporaryDirectory();
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash($"echo $FLUSTER_WORKER_ID >> {directory.File("ran")}; while [ $(wc -l < {directory.File("ran")}) -lt 2 ]; do sleep 0.1; done"));
        await Eventually.True(() => directory.Lines("ran") > 0, "it runs");

        var first = (await File.ReadAllLinesAsync(directory.File("ran")))[0];
        VmProcesses.Kill(VmProcesses.MainOf(Path.Combine(cluster.Machines, first, "data")));

        Assert.Equal(JobState.Succeeded, (await job.WaitAsync().WaitAsync(VmCluster.Patience)).State);
        var ran = await File.ReadAllLinesAsync(directory.File("ran"));
        Assert.Equal(2, ran.Distinct(StringComparer.Ordinal).Count());
        var attempts = (await cluster.Client.GetStatusAsync(job.Id)).Tasks[0].Attempts;
        Assert.Equal([FailureKind.WorkerLost, null], attempts.Select(attempt => attempt.Failure?.Kind));
        Assert.Equal(ran, attempts.Select(attempt => attempt.Worker.ToString())); // also of the machine that is gone
        await cluster.EmptyAsync();
    }

    [Fact]
    public async Task Controller_KilledWhileMachinesAreMade_LeavesNothingBehind_AndMakesNoneTwice()
    {
        await using var cluster = await VmCluster.StartAsync(idle: "00:00:01");
        var jobs = new List<JobHandle>();
        for (var i = 0; i < 3; i++)
        {
            jobs.Add(await cluster.Client.SubmitAsync(TestCluster.Bash("sleep 0.2", $"job{i}") with { Resources = new ResourceSpec { Cpu = 4 } }));
        }

        for (var round = 0; round < 3; round++)
        {
            await cluster.Controller.KillAsync();
            await cluster.Controller.StartAsync();
            Assert.True(cluster.WorkerProcesses <= 3, "There are more workers than machines were asked for.");
        }

        foreach (var job in jobs)
        {
            Assert.Equal(JobState.Succeeded, (await job.WaitAsync().WaitAsync(VmCluster.Patience)).State);
        }

        await cluster.EmptyAsync();
    }

    [Fact]
    [System.Runtime.Versioning.SupportedOSPlatform("linux")]
    public async Task Machine_ThatIsStartedAgain_ComesBackWithItsCredential_AndItsTokenAloneIsWorthNothing()
    {
        await using var cluster = await VmCluster.StartAsync(idle: "00:10:00", lostSeconds: 30, max: 1); // while it is away, no other one is asked for
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash("true"));
        await job.WaitAsync().WaitAsync(VmCluster.Patience);
        var vm = Assert.Single((await cluster.ListAsync()).Vms);
        var data = Path.Combine(cluster.Machines, vm.VmId, "data");
        var main = VmProcesses.MainOf(data)!.Value;
        var environment = (await File.ReadAllTextAsync($"/proc/{main}/environ")).Split('\0', StringSplitOptions.RemoveEmptyEntries)
            .Select(pair => pair.Split('=', 2)).Where(pair => pair[0].StartsWith("Fluster__", StringComparison.Ordinal)).ToDictionary(pair => pair[0], pair => pair[1], StringComparer.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(data, "worker.json")));

        VmProcesses.Kill(main);
        await Eventually.True(() => VmProcesses.MainOf(data) is null, "it is gone");
        VmProcesses.Start(WorkerProgram, data, Path.Combine(cluster.Machines, vm.VmId, "again.log"), environment);
        var second = await cluster.Client.SubmitAsync(TestCluster.Bash("echo $FLUSTER_WORKER_ID"));
        Assert.Equal(JobState.Succeeded, (await second.WaitAsync().WaitAsync(VmCluster.Patience)).State);
        Assert.Equal(vm.VmId, (await cluster.LogAsync(second.Id)).Trim());

        // Somebody who has come by the token, and not by the disk.
        using var channel = cluster.Controller.Channel();
        using var link = ControllerProcess.Service(channel).WorkerLink(cluster.Controller.Headers(environment["Fluster__Worker__Token"]));
        await link.RequestStream.WriteAsync(new V1.WorkerLinkRequest { Hello = new V1.WorkerHello { WorkerId = vm.VmId, Incarnation = ulong.MaxValue - 1 } });
        var refused = await Assert.ThrowsAsync<Grpc.Core.RpcException>(() => link.ResponseStream.MoveNext(CancellationToken.None));
        Assert.Equal(Grpc.Core.StatusCode.PermissionDenied, refused.StatusCode);
        Assert.Contains("it was used", refused.Status.Detail, StringComparison.Ordinal);
        await Eventually.True(() => cluster.Controller.Process.Output.Contains($"Worker {vm.VmId} is not let in: The token of machine", StringComparison.Ordinal), "the log says so");
        var blobs = await Assert.ThrowsAsync<Grpc.Core.RpcException>(async () =>
            await ControllerProcess.Service(channel).HasBlobsAsync(new V1.HasBlobsRequest(), cluster.Controller.Headers(environment["Fluster__Worker__Token"])));
        Assert.Equal(Grpc.Core.StatusCode.PermissionDenied, blobs.StatusCode);
    }

    [Fact]
    public async Task Orphan_WithoutAControllerForItsTimeout_EndsByItself()
    {
        await using var cluster = await VmCluster.StartAsync(idle: "00:10:00", orphan: "00:00:04");
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash("sleep 1000"));
        await Eventually.True(async () => (await cluster.Client.GetStatusAsync(job.Id)).State == JobState.Running, () => "it runs");
        var data = Path.Combine(cluster.Machines, Assert.Single((await cluster.ListAsync()).Vms).VmId, "data");

        await cluster.Controller.KillAsync();

        await Eventually.True(() => Task.FromResult(VmProcesses.AllOf(data).Count == 0), () => "the worker and what it ran end");
        await cluster.Controller.StartAsync();
        await cluster.Client.TerminateAsync(job.Id);
    }

    /// <summary>A controller with a local backend, and no worker that somebody started.</summary>
    private sealed class VmCluster : IAsyncDisposable
    {
        public static TimeSpan Patience { get; } = TimeSpan.FromSeconds(60);

        private VmCluster(ControllerProcess controller)
        {
            Controller = controller;
            Client = controller.Client();
        }

        public ControllerProcess Controller { get; }

        public FlusterClient Client { get; }

        public string Machines => Path.Combine(Controller.DataDirectory, "machines", "local");

        /// <summary>Workers that run on any of its machines, also such as have no directory any more.</summary>
        public int WorkerProcesses => Directory.EnumerateDirectories("/proc").Count(directory =>
        {
            try
            {
                return File.ReadAllText(Path.Combine(directory, "cmdline")).Contains($"DataDirectory={Machines}/", StringComparison.Ordinal);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                return false;
            }
        });

        public static async Task<VmCluster> StartAsync(string idle, int lostSeconds = 60, string orphan = "00:30:00", int max = 3) => new(await ControllerProcess.StartAsync(
            new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["Fluster__Controller__Backends__0__Kind"] = "local",
                ["Fluster__Controller__Backends__0__Max"] = max.ToString(System.Globalization.CultureInfo.InvariantCulture),
                ["Fluster__Controller__Backends__0__Idle"] = idle,
                ["Fluster__Controller__Backends__0__Cpu"] = "4",
                ["Fluster__Controller__Backends__0__Memory"] = "1g",
                ["Fluster__Controller__Backends__0__WorkerPath"] = WorkerProgram,
                ["Fluster__Controller__WorkerSuspectSeconds"] = "2",
                ["Fluster__Controller__WorkerLostSeconds"] = lostSeconds.ToString(System.Globalization.CultureInfo.InvariantCulture),
                ["Fluster__Controller__VmOrphanTimeout"] = orphan,
            }));

        public async Task<V1.ListVmsResponse> ListAsync()
        {
            using var channel = Controller.Channel();
            return await ControllerProcess.Service(channel).ListVmsAsync(new V1.ListVmsRequest(), Controller.Headers());
        }

        public async Task<string> LogAsync(JobId job)
        {
            var lines = new List<string>();
            await foreach (var line in Client.StreamLogs(job, new LogOptions { Follow = true }))
            {
                if (line.Stream == JobLogStream.Stdout)
                {
                    lines.Add(line.Text);
                }
            }

            return string.Join('\n', lines);
        }

        /// <summary>Waits until there is no machine any more: no record, no process, no directory, and no worker in the list.</summary>
        public Task EmptyAsync() => Eventually.True(
                async () => (await ListAsync()).Vms.Count == 0
                    && WorkerProcesses == 0
                    && (!Directory.Exists(Machines) || !Directory.EnumerateFileSystemEntries(Machines).Any())
                    && await WorkersAsync() == 0,
                () => $"no machine is left; the controller:\n{Controller.Process.Output}");

        public async ValueTask DisposeAsync()
        {
            await Client.DisposeAsync();
            if (Directory.Exists(Machines))
            {
                foreach (var machine in Directory.GetDirectories(Machines))
                {
                    VmProcesses.Kill(VmProcesses.MainOf(Path.Combine(machine, "data")));
                    await Eventually.True(() => Task.FromResult(VmProcesses.AllOf(Path.Combine(machine, "data")).Count == 0), () => $"{machine} ends");
                }
            }

            await Controller.DisposeAsync();
        }

        private async Task<int> WorkersAsync()
        {
            using var channel = Controller.Channel();
            return (await ControllerProcess.Service(channel).ListWorkersAsync(new V1.ListWorkersRequest(), Controller.Headers())).Workers.Count;
        }
    }
}
