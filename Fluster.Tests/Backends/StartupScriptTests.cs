using System.Diagnostics;
using System.Runtime.Versioning;
using System.Text;
using Fluster.Backends;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>
/// The start-up script of machines, run by bash in a directory of its own. In place of <c>dotnet</c> there is a program that writes down how it was started. That systemd takes the
/// unit is for real machines to show.
/// </summary>
[SupportedOSPlatform("linux")]
public sealed class StartupScriptTests : IDisposable
{
    private static readonly Dictionary<string, byte[]> s_worker = new(StringComparer.Ordinal) { ["Fluster.Worker.dll"] = Encoding.UTF8.GetBytes("worker"), ["jobhost/Fluster.JobHost.dll"] = Encoding.UTF8.GetBytes("host") };

    private readonly TemporaryDirectory _directory = new();

    private string Root => _directory.File("root");

    public void Dispose() => _directory.Dispose();

    [ToolFact("curl")]
    public async Task Script_RunTwice_FetchesOnce_AndStartsTheWorkerEachTime()
    {
        await using var host = await EmulatorHost.StartAsync();
        await using var packages = await PackageServer.StartAsync(s_worker, failures: 2);
        var request = await MachineAsync(host, packages);

        var first = await RunAsync(request, host, "fluster-00000001");
        var second = await RunAsync(request, host, "fluster-00000001"); // a reboot

        Assert.Equal((0, 0, 1), (first.ExitCode, second.ExitCode, packages.Fetched));
        Assert.Contains("the worker was not fetched (try 2 of 3)", first.Errors, StringComparison.Ordinal);
        Assert.Contains("the worker is here already", second.Errors, StringComparison.Ordinal);
        var worker = Path.Combine(Root, "opt/fluster", $"worker-{request.Package!.Sha256}");
        Assert.Equal("worker", await File.ReadAllTextAsync(Path.Combine(worker, "Fluster.Worker.dll")));
        Assert.Equal([$"{worker}/Fluster.Worker.dll --contentRoot {worker}", $"{worker}/Fluster.Worker.dll --contentRoot {worker}"], await File.ReadAllLinesAsync(_directory.File("arguments")));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(Root, "etc/fluster/worker.env")));
        Assert.False(File.Exists(Path.Combine(Root, "opt/fluster/worker.download")));
    }

    /// <summary>Values arrive as they were, whatever is in them; what the controller says counts more than what the offer says.</summary>
    [ToolFact("curl")]
    public async Task Worker_FindsItsEnvironment()
    {
        await using var host = await EmulatorHost.StartAsync();
        await using var packages = await PackageServer.StartAsync(s_worker);
        var request = await MachineAsync(host, packages);
        const string Odd = "it's \"odd\": $HOME `id` \\ and\nmore lines";
        request = request with
        {
            WorkerEnvironment = new Dictionary<string, string>(request.WorkerEnvironment, StringComparer.Ordinal) { ["ODD"] = Odd, ["Fluster__Worker__Cpu"] = "3", ["Fluster__Worker__Id"] = "somebody" },
        };

        var run = await RunAsync(request, host, "fluster-00000001");

        Assert.True(run.ExitCode == 0, run.Errors);
        var found = await EnvironmentAsync();
        Assert.Equal(Odd, found["ODD"]);
        Assert.Equal(("3", "fluster-00000001", "a.b.c"), (found["Fluster__Worker__Cpu"], found["Fluster__Worker__Id"], found["Fluster__Worker__Token"]));
        Assert.Equal((request.Offer.Resources.Memory.Bytes.ToString(), "us-central1", "false"), (found["Fluster__Worker__Memory"], found["Fluster__Worker__Region"], found["Fluster__Worker__Preemptible"]));
        Assert.Equal(Path.Combine(Root, "var/lib/fluster/worker"), found["Fluster__Worker__DataDirectory"]);
        Assert.Equal($"{host.Address.Authority}/_vm/fluster-00000001", found["Fluster__Worker__MetadataHost"]);
        Assert.StartsWith("10.128.", found["Fluster__Worker__AdvertiseHost"], StringComparison.Ordinal);
        Assert.DoesNotContain("a.b.c", run.Errors, StringComparison.Ordinal);
    }

    [ToolFact("curl")]
    public async Task Host_OfASlice_FindsWhichOneItIs_AndWhatJaxWantsToKnow()
    {
        await using var host = await EmulatorHost.StartAsync();
        await using var packages = await PackageServer.StartAsync(s_worker);
        var backend = host.TpuBackend();
        var request = EmulatorHost.Request(backend, "fluster-tpu-00000001", ResourceSpec.WithTpu("v5litepod-16")) with { Package = packages.Package };
        await backend.AllocateAsync(request);
        await Eventually.True(async () => (await backend.GetAsync(request.Id, request.Offer.Zone))?.Status == VmStatus.Running, () => "The slice does not run.");
        var addresses = (await backend.GetAsync(request.Id, request.Offer.Zone))!.Addresses;

        var run = await RunAsync(request, host, "fluster-tpu-00000001-w-2");

        Assert.True(run.ExitCode == 0, run.Errors);
        var found = await EnvironmentAsync();
        Assert.Equal(("fluster-tpu-00000001-2", "v5litepod-16"), (found["Fluster__Worker__Id"], found["Fluster__Worker__TpuVariant"]));
        Assert.Equal(("fluster-tpu-00000001", "2", "2,2,1"), (found["TPU_NAME"], found["TPU_WORKER_ID"], found["TPU_CHIPS_PER_HOST_BOUNDS"]));
        Assert.Equal(string.Join(',', addresses), found["TPU_WORKER_HOSTNAMES"]);
        Assert.Equal(($"{addresses[0]}:8476", "4", "2"), (found["JAX_COORDINATOR_ADDRESS"], found["JAX_NUM_PROCESSES"], found["JAX_PROCESS_ID"]));
        Assert.Equal(("tpu,cpu", "TPU", "1", "0", "1"), (found["JAX_PLATFORMS"], found["PJRT_DEVICE"], found["TPU_SKIP_MDS_QUERY"], found["MEGASCALE_SLICE_ID"], found["MEGASCALE_NUM_SLICES"]));
    }

    /// <summary>The worker of a slice with one machine has the machine's name, as the controller expects it: with a number it would be let in by nobody.</summary>
    [ToolFact("curl")]
    public async Task Slice_OfOneMachine_HasAWorkerOfItsName()
    {
        await using var host = await EmulatorHost.StartAsync();
        await using var packages = await PackageServer.StartAsync(s_worker);
        var backend = host.TpuBackend();
        var request = EmulatorHost.Request(backend, "fluster-tpu-00000001", ResourceSpec.WithTpu("v5litepod-4")) with { Package = packages.Package };
        await backend.AllocateAsync(request);
        await Eventually.True(async () => (await backend.GetAsync(request.Id, request.Offer.Zone))?.Status == VmStatus.Running, () => "The slice does not run.");

        var run = await RunAsync(request, host, "fluster-tpu-00000001-w-0");

        Assert.True(run.ExitCode == 0, run.Errors);
        var found = await EnvironmentAsync();
        Assert.Equal(("fluster-tpu-00000001", "0", "1"), (found["Fluster__Worker__Id"], found["TPU_WORKER_ID"], found["JAX_NUM_PROCESSES"]));
    }

    [ToolFact("curl")]
    public async Task Package_ThatIsNotTheOne_IsNotRun()
    {
        await using var host = await EmulatorHost.StartAsync();
        await using var packages = await PackageServer.StartAsync(s_worker);
        var request = await MachineAsync(host, packages);

        var run = await RunAsync(request with { Package = packages.Package with { Sha256 = new string('0', 64) } }, host, "fluster-00000001");

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("FAILED: the worker cannot be fetched from http://127.0.0.1:", run.Errors, StringComparison.Ordinal);
        Assert.False(File.Exists(_directory.File("arguments")));
    }

    [ToolFact("curl")]
    public async Task Token_ThatIsRefused_IsSaid_AndNotShown()
    {
        await using var host = await EmulatorHost.StartAsync();
        await using var packages = await PackageServer.StartAsync(s_worker);
        var request = await MachineAsync(host, packages);
        packages.Token = "another";

        var run = await RunAsync(request, host, "fluster-00000001");

        Assert.Equal((1, 0), (run.ExitCode, packages.Fetched));
        Assert.Contains("401", run.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("a.b.c", run.Errors, StringComparison.Ordinal);
    }

    /// <summary>A controller with a certificate of its own: its hash comes with the token, and no other certificate gets to see the token.</summary>
    [ToolFact("curl", "openssl")]
    public async Task Certificate_ThatTheTokenNames_IsTheOnlyOneBelieved()
    {
        await using var host = await EmulatorHost.StartAsync();
        using var certificate = SelfSigned.FromPem(SelfSigned.MakePem("controller", TimeProvider.System.GetUtcNow()));
        await using var packages = await PackageServer.StartAsync(s_worker, certificate);
        var request = await MachineAsync(host, packages);
        VmRequest With(string hash) => request with { WorkerEnvironment = new Dictionary<string, string>(request.WorkerEnvironment, StringComparer.Ordinal) { ["Fluster__Worker__CertificateHash"] = hash } };

        var stranger = await RunAsync(With(new string('a', 64)), host, "fluster-00000001");
        var unpinned = await RunAsync(request, host, "fluster-00000001");
        var pinned = await RunAsync(With(certificate.GetCertHashString(System.Security.Cryptography.HashAlgorithmName.SHA256)), host, "fluster-00000001");

        Assert.Equal((1, 1), (stranger.ExitCode, unpinned.ExitCode));
        Assert.Contains("a certificate that is not the one expected", stranger.Errors, StringComparison.Ordinal);
        Assert.True(pinned.ExitCode == 0, pinned.Errors);
        Assert.Equal(1, packages.Fetched);
    }

    [Fact]
    public async Task Script_IsBash()
    {
        await using var host = await EmulatorHost.StartAsync();
        var file = _directory.File("script");
        await File.WriteAllTextAsync(file, StartupScript.Write(EmulatorHost.Request(host.Gce(), "fluster-00000001"), host.Options));

        using var bash = Process.Start(new ProcessStartInfo("bash", ["-n", file]) { RedirectStandardError = true })!;
        var errors = await bash.StandardError.ReadToEndAsync();
        await bash.WaitForExitAsync();

        Assert.Equal((0, ""), (bash.ExitCode, errors));
    }

    [Theory]
    [InlineData("A B", "x", "is not the name of an environment variable")]
    [InlineData("A;B", "x", "is not the name of an environment variable")]
    [InlineData("A", "x\nEND_OF_FLUSTER_ENVIRONMENT\nrm", "cannot be written into a script")]
    [InlineData("A", "long", "longer than the 262144 bytes")]
    public async Task Environment_ThatCannotBeWritten_IsRefused(string name, string value, string why)
    {
        await using var host = await EmulatorHost.StartAsync();
        var request = EmulatorHost.Request(host.Gce(), "fluster-00000001") with
        {
            WorkerEnvironment = new Dictionary<string, string>(StringComparer.Ordinal) { [name] = value == "long" ? new string('x', 256 * 1024) : value },
        };

        Assert.Contains(why, Assert.Throws<ArgumentException>(() => StartupScript.Write(request, host.Options)).Message, StringComparison.Ordinal);
    }

    private static async Task<VmRequest> MachineAsync(EmulatorHost host, PackageServer packages)
    {
        var backend = host.Gce();
        var request = EmulatorHost.Request(backend, "fluster-00000001") with { Package = packages.Package };
        await backend.AllocateAsync(request);
        return request;
    }

    private async Task<(int ExitCode, string Errors)> RunAsync(VmRequest request, EmulatorHost host, string machine)
    {
        Directory.CreateDirectory(Root);
        Directory.CreateDirectory(_directory.File("bin"));
        var dotnet = _directory.File("bin/dotnet");
        await File.WriteAllTextAsync(dotnet, $"#!/bin/sh\necho \"$@\" >> '{_directory.File("arguments")}'\nenv -0 > '{_directory.File("environment")}'\n");
        File.SetUnixFileMode(dotnet, (UnixFileMode)0b111_101_101);
        var script = _directory.File("script");
        await File.WriteAllTextAsync(script, StartupScript.Write(request, host.Options));

        var start = new ProcessStartInfo("bash", [script]) { RedirectStandardError = true, RedirectStandardOutput = true };
        start.Environment["PATH"] = $"{_directory.File("bin")}:{start.Environment["PATH"]}";
        start.Environment[FlusterEnvironment.VmRoot] = Root;
        start.Environment["GCE_METADATA_HOST"] = $"{host.Address.Authority}/_vm/{machine}";
        start.Environment["FLUSTER_VM_TRIES"] = "3";
        start.Environment["FLUSTER_VM_PAUSE"] = "0.05";
        using var bash = Process.Start(start)!;
        var output = bash.StandardOutput.ReadToEndAsync();
        var errors = await bash.StandardError.ReadToEndAsync();
        await bash.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60), TimeProvider.System);
        return (bash.ExitCode, await output + errors);
    }

    private async Task<Dictionary<string, string>> EnvironmentAsync() =>
        (await File.ReadAllTextAsync(_directory.File("environment"))).Split('\0', StringSplitOptions.RemoveEmptyEntries).Select(variable => variable.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1], StringComparer.Ordinal);
}
