using System.Diagnostics;
using Fluster.Backends;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Machines that the emulator really runs: as processes, with a worker in them.</summary>
public sealed class EmulatedMachinesTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    /// <summary>From a request to a worker of the cluster, and from its release to nothing: with the worker as it was built, fetched by the machine.</summary>
    [ToolFact("curl", "setsid")]
    public async Task Machine_ThatWasMade_IsAWorker_AndIsGoneWhenReleased()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var client = controller.Client();
        await using var host = await EmulatorHost.StartAsync("--run", _directory.Path);
        await using var packages = await PackageServer.StartAsync(Worker());
        var backend = host.Gce();
        var request = EmulatorHost.Request(backend, "fluster-00000001");
        packages.Token = controller.WorkerToken("fluster-00000001");
        request = request with
        {
            Package = packages.Package,
            WorkerEnvironment = new Dictionary<string, string>(StringComparer.Ordinal) { ["Fluster__Worker__Token"] = packages.Token, ["Fluster__Worker__ControllerAddress"] = controller.GrpcAddress },
        };

        await backend.AllocateAsync(request);
        var job = await client.SubmitAsync(new JobRequest { Name = "where", Entrypoint = JobEntrypoint.Command("bash", "-c", "echo $FLUSTER_WORKER_ID; [ $FLUSTER_WORKER_ID = fluster-00000001 ]") });
        var status = await job.WaitAsync(TimeSpan.FromSeconds(60));

        Assert.True(status.State == JobState.Succeeded, $"{status}\n{await ConsoleAsync(host)}");
        var address = (await backend.GetAsync(request.Id, request.Offer.Zone))!.Addresses[0];
        Assert.StartsWith("127.77.", address, StringComparison.Ordinal);

        await backend.ReleaseAsync(request.Id, request.Offer.Zone);

        await Eventually.True(() => Processes().Count == 0 && Directory.GetFileSystemEntries(_directory.Path).Length == 0, () => $"It runs: {string.Join(' ', Processes())}");
    }

    /// <summary>What a machine does when it is taken away, starts again, and is deleted.</summary>
    [ToolFact("setsid")]
    public async Task Machine_Rebooted_Preempted_RunsItsScriptAgain_AndHasItsNotice()
    {
        await using var host = await EmulatorHost.StartAsync("--run", _directory.Path);
        var compute = host.Compute();
        const string Script = "#!/bin/bash\necho booted in $FLUSTER_VM_ROOT\necho x >> $FLUSTER_VM_ROOT/boots\ntrap 'echo asked to end >&2; exit 0' TERM\nwhile true; do sleep 0.05; done\n";
        var operation = await compute.InsertAsync(EmulatorHost.Zone, Machine("vm-1", Script), Guid.NewGuid(), CancellationToken.None);
        await compute.CompleteAsync(EmulatorHost.Zone, operation, TimeSpan.FromSeconds(20), CancellationToken.None);
        await SaysAsync(1);

        await host.ControlAsync("reboot", new { name = "vm-1" });
        await SaysAsync(2);
        Assert.Contains("asked to end", await ConsoleAsync(host, "vm-1"), StringComparison.Ordinal);
        var told = host.MetadataTextAsync("vm-1", "instance/preempted?wait_for_change=true&timeout_sec=20");
        await host.ControlAsync("preempt", new { name = "vm-1", noticeMs = 1500 });

        Assert.Equal("TRUE", await told);
        await Eventually.True(() => Processes().Count == 0, () => "It runs.");
        Assert.Equal("TERMINATED", (await compute.FindAsync(EmulatorHost.Zone, "vm-1", CancellationToken.None))!.Status);

        Task SaysAsync(int boots) => Eventually.True(async () => (await ConsoleAsync(host, "vm-1")).Split("booted in").Length == boots + 1, () => "It does not boot.");
    }

    /// <summary>However the emulator ends, its machines end with it.</summary>
    [ToolFact("setsid", "curl")]
    public async Task Emulator_ThatIsKilled_LeavesNoMachine()
    {
        var port = FreePorts.Next();
        var configuration = AppContext.BaseDirectory.Contains("/Release/", StringComparison.Ordinal) ? "Release" : "Debug";
        var program = Path.Combine(Repository.Root, "Fluster.GcpEmulator", "bin", configuration, "net10.0", "Fluster.GcpEmulator.dll");
        using var emulator = Process.Start(new ProcessStartInfo("dotnet", [program, "--urls", $"http://127.0.0.1:{port}", "--run", _directory.Path, "--operation-ms", "10"]) { RedirectStandardOutput = true })!;
        try
        {
            Assert.StartsWith("The emulator listens on http://127.0.0.1:", await emulator.StandardOutput.ReadLineAsync(), StringComparison.Ordinal);
            using var connection = new GcpConnection(new FixedAccessToken("t"));
            var compute = new ComputeClient(connection, new Uri($"http://127.0.0.1:{port}/compute/v1/"), EmulatorHost.Project);
            await compute.InsertAsync(EmulatorHost.Zone, Machine("vm-1", "#!/bin/bash\nsleep 1000\n"), Guid.NewGuid(), CancellationToken.None);
            await Eventually.True(() => Processes().Count >= 2, () => "It does not boot.");
        }
        finally
        {
            emulator.Kill();
        }

        await Eventually.True(() => Processes().Count == 0, () => $"They run: {string.Join(' ', Processes())}");
    }

    [Fact]
    public async Task Program_ToldSomethingUnknown_SaysSo_AndHelpLists()
    {
        var unknown = Assert.Throws<ArgumentException>(() => GcpEmulator.GcpEmulatorApp.Build("--speed", "9"));
        Assert.Contains("'--speed' is not an option", unknown.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => GcpEmulator.GcpEmulatorApp.Build("--zones", "here"));
        Assert.Throws<ArgumentException>(() => GcpEmulator.GcpEmulatorApp.Build("--operation-ms", "-1"));
        Assert.Contains("--run DIRECTORY", GcpEmulator.EmulatorOptions.Usage, StringComparison.Ordinal);
        await Task.CompletedTask;
    }

    private static ComputeInstance Machine(string name, string script) => new()
    {
        Name = name,
        MachineType = $"zones/{EmulatorHost.Zone}/machineTypes/e2-standard-2",
        Disks = [new ComputeAttachedDisk { Boot = true, AutoDelete = true, InitializeParams = new ComputeDiskParameters { SourceImage = "projects/debian-cloud/global/images/family/debian-12" } }],
        NetworkInterfaces = [new ComputeNetworkInterface { Network = "global/networks/default" }],
        Metadata = new ComputeMetadata { Items = [new ComputeMetadataItem("startup-script", script)] },
    };

    private static async Task<string> ConsoleAsync(EmulatorHost host, string name = "fluster-00000001") =>
        (await host.Compute().GetSerialPortAsync(EmulatorHost.Zone, name, 0, CancellationToken.None)).Contents ?? "";

    /// <summary>The processes that know of the directory.</summary>
    private List<int> Processes() =>
        [.. Directory.EnumerateDirectories("/proc").Where(entry => int.TryParse(Path.GetFileName(entry), out _) && Environment(entry).Contains(_directory.Path, StringComparison.Ordinal)).Select(entry => int.Parse(Path.GetFileName(entry)))];

    private static string Environment(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "environ"));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return ""; // It has ended.
        }
    }

    /// <summary>The worker as it was built with the tests.</summary>
    private static Dictionary<string, byte[]> Worker()
    {
        var configuration = AppContext.BaseDirectory.Contains("/Release/", StringComparison.Ordinal) ? "Release" : "Debug";
        var folder = Path.Combine(Repository.Root, "Fluster.Worker", "bin", configuration, "net10.0");
        return Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).ToDictionary(file => Path.GetRelativePath(folder, file), File.ReadAllBytes, StringComparer.Ordinal);
    }
}
