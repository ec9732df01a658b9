using System.Text.Json;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary><c>fluster cluster up --backend …</c> as a process of its own, up to the machines that it makes and takes along when it ends.</summary>
public sealed class ClusterUpMachinesTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private string Context => _directory.File("context.json");

    public void Dispose() => _directory.Dispose();

    [ToolFact("curl", "setsid")]
    public async Task Up_OnEmulatedComputeEngine_RunsJobsOnMachines_AndCtrlCLeavesNothing()
    {
        using var up = CliProcess.Start(Context, "cluster", "up", "--backend", "gce", "--emulator", "-f", Example("gce"));
        await UpAsync(up);
        Assert.Contains("gce: 0 to 4, n2-standard-4 and larger of my-project in us-central1-a, us-central1-b", up.Out, StringComparison.Ordinal);

        using var run = CliProcess.Start(Context, "job", "run", "--", "bash", "-c", "echo $FLUSTER_WORKER_ID; exit 3");
        Assert.True(await run.ExitAsync() == 3, $"{run.Error}\n{up.Error}");
        var machine = run.Out.Trim();
        Assert.Matches("^fluster-[0-9a-f]{8}$", machine);
        Assert.Equal([machine], await MachinesAsync());
        using var endless = CliProcess.Start(Context, "job", "submit", "--", "sleep", "623");
        Assert.Equal(0, await endless.ExitAsync());
        await Eventually.True(() => RunningProcesses.Where(line => line == "sleep\0623\0").Count > 0, () => "The job did not start.");
        var root = Roots(machine).First();

        await up.SignalAsync("INT");

        Assert.True(await up.ExitAsync() == 0, up.Error);
        Assert.Empty(RunningProcesses.Where(line => line == "sleep\0623\0"));
        Assert.Empty(Roots(machine));
        Assert.False(Directory.Exists(Path.GetDirectoryName(root)), $"{root} is left.");
        Assert.Empty(ClusterContextFile.Read(Context)!.Contexts);
        Assert.DoesNotContain("may still be there", up.Error, StringComparison.Ordinal);
    }

    /// <summary>All machines of a slice; and when the program is killed, they end as well.</summary>
    [ToolFact("curl", "setsid")]
    public async Task Up_OnEmulatedTpus_RunsATaskOnEachMachineOfASlice_AndKilledItLeavesNone()
    {
        using var up = CliProcess.Start(Context, "cluster", "up", "--backend", "tpu", "--emulator");
        await UpAsync(up);

        using var run = CliProcess.Start(Context, "job", "run", "--tpu", "v5litepod-16", "--", "bash", "-c", "echo $FLUSTER_WORKER_ID $JAX_PROCESS_ID/$JAX_NUM_PROCESSES");
        Assert.True(await run.ExitAsync() == 0, $"{run.Error}\n{up.Error}");
        var slice = Assert.Single(await MachinesAsync());
        Assert.Equal(
            Enumerable.Range(0, 4).Select(index => $"[{index}] {slice}-{index} {index}/4"),
            run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal));
        var machines = Path.GetDirectoryName(Roots(slice).First())!;

        await up.SignalAsync("KILL");

        await Eventually.True(() => Roots(slice).Count == 0, () => $"They run: {string.Join(' ', Roots(slice))}");
        Directory.Delete(machines, recursive: true); // who was killed has not
    }

    [EngineFact(TestEngine.WorkerImage)]
    public async Task Up_WithContainers_RunsJobsInThem_AndCtrlCLeavesNone()
    {
        using var engine = new DockerEngine(TestEngine.Socket);
        var file = _directory.File("cluster.json");
        await File.WriteAllTextAsync(file, $$"""{ "Backends": [ { "Kind": "docker", "Socket": "{{TestEngine.Socket}}", "Image": "{{TestEngine.WorkerImage}}", "Max": 2 } ] }""");
        using var up = CliProcess.Start(Context, "cluster", "up", "--backend", "docker", "-f", file);
        await UpAsync(up);

        using var run = CliProcess.Start(Context, "job", "run", "--", "bash", "-c", "echo $FLUSTER_WORKER_ID; exit 3");
        Assert.True(await run.ExitAsync() == 3, $"{run.Error}\n{up.Error}");
        var machine = run.Out.Trim();
        Assert.Equal([machine], await MachinesAsync());
        Assert.Single(await engine.ListAsync("fluster.vm", machine, CancellationToken.None));

        await up.SignalAsync("INT");

        Assert.True(await up.ExitAsync() == 0, up.Error);
        Assert.Empty(await engine.ListAsync("fluster.vm", machine, CancellationToken.None));
    }

    /// <summary>Machines that are always there are asked for again and again: not while all are to go.</summary>
    [ToolFact("curl", "setsid")]
    public async Task Up_WithMachinesThatAreStillBeingMade_StopsWithoutThem()
    {
        var file = _directory.File("cluster.json");
        await File.WriteAllTextAsync(file, """{ "Backends": [ { "Kind": "gce", "Project": "my-project", "Zones": ["us-central1-a"], "Min": 2, "Max": 3 } ] }""");
        using var up = CliProcess.Start(Context, "cluster", "up", "--emulator", "-f", file, "--output", "json");
        await Eventually.True(() => up.Out.Contains("\"emulator\"", StringComparison.Ordinal) && up.Out.TrimEnd().EndsWith('}'), () => $"It is not up: {up.Out} {up.Error}");
        await Eventually.True(async () => (await MachinesAsync()).Count == 2, () => $"They are not asked for: {up.Error}");
        var machines = await MachinesAsync();

        await up.SignalAsync("TERM");

        Assert.True(await up.ExitAsync() == 0, up.Error);
        Assert.All(machines, machine => Assert.Empty(Roots(machine)));
    }

    /// <summary>What is wrong is said before anything starts, as one line each, with the exit code of wrong usage.</summary>
    [Fact]
    public async Task Up_WithAFileThatIsWrong_SaysWhere()
    {
        var file = _directory.File("cluster.json");
        await File.WriteAllTextAsync(file, "{\n  \"Backends\": [\n    { \"Kind\": \"gce\", \"Project\": \"my-project\", \"Zones\": [\"here\"],\n      \"Maximum\": 3,\n      \"Min\": \"1\" }\n  ]\n}\n");
        using var up = CliProcess.Start(Context, "cluster", "up", "--backend", "gce", "-f", file);

        Assert.Equal((125, ""), (await up.ExitAsync(), up.Out));
        Assert.Equal(
            [$"fluster: {file}:4: there is no setting 'Maximum' here. Near names: Max, Min, Name.", $"fluster: {file}:5: Min is \"1\": it is a whole number, without quotes."],
            up.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.False(File.Exists(Context));
    }

    [Theory]
    [InlineData("--emulator needs --backend gce or --backend tpu", "--emulator")]
    [InlineData("deploy/cluster.gce.json is an example", "--backend", "gce")]
    [InlineData("deploy/cluster.tpu.json is an example", "--backend", "tpu")]
    [InlineData("--emulator stands for Google Cloud", "--backend", "docker", "--emulator")]
    [InlineData("--jobs is for the worker that runs here", "--backend", "docker", "--jobs", "3")]
    [InlineData("Argument 'aws' not recognized", "--backend", "aws")]
    public async Task Up_ToldWhatMakesNoSense_SaysWhatToDo(string problem, params string[] arguments)
    {
        using var up = CliProcess.Start(Context, ["cluster", "up", .. arguments]);

        Assert.Equal(125, await up.ExitAsync());
        Assert.Contains(problem, up.Error, StringComparison.Ordinal);
    }

    /// <summary>An engine that is not there is told at the start, not by jobs that wait.</summary>
    [Fact]
    public async Task Up_WithoutAnEngine_SaysSoAndEnds()
    {
        var file = _directory.File("cluster.json");
        await File.WriteAllTextAsync(file, $$"""{ "Backends": [ { "Kind": "docker", "Socket": "{{_directory.File("no.sock")}}" } ] }""");
        using var up = CliProcess.Start(Context, "cluster", "up", "-f", file);

        Assert.Equal((125, ""), (await up.ExitAsync(), up.Out));
        Assert.Contains("The backend 'docker' has no machines to give", up.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_OfUp_HasAnExampleWhoseFileIsThere()
    {
        using var help = CliProcess.Start(Context, "cluster", "up", "--help");

        Assert.Equal(0, await help.ExitAsync());
        var words = help.Out.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        Assert.Contains("fluster cluster up --backend gce --emulator -f", string.Join(' ', words), StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(Repository.Root, words.First(word => word.EndsWith(".json", StringComparison.Ordinal)))), help.Out);
    }

    private static string Example(string kind) => Path.Combine(Repository.Root, "deploy", $"cluster.{kind}.json");

    private static Task UpAsync(CliProcess up) => Eventually.True(() => up.Out.Contains("vm list", StringComparison.Ordinal), () => $"It is not up: {up.Out} {up.Error}");

    private async Task<IReadOnlyList<string>> MachinesAsync()
    {
        using var list = CliProcess.Start(Context, "vm", "list", "--output", "json");
        Assert.True(await list.ExitAsync() == 0, list.Error);
        return [.. JsonDocument.Parse(list.Out).RootElement.GetProperty("vms").EnumerateArray().Select(vm => vm.GetProperty("id").GetString()!).Order(StringComparer.Ordinal)];
    }

    /// <summary>The directories of a machine that processes run in, as their environment has them.</summary>
    private static List<string> Roots(string machine) =>
    [
        .. Directory.EnumerateDirectories("/proc").Where(entry => int.TryParse(Path.GetFileName(entry), out _)).SelectMany(Environment)
            .Where(variable => variable.StartsWith($"{FlusterEnvironment.VmRoot}=", StringComparison.Ordinal) && variable.Contains($"/{machine}-", StringComparison.Ordinal))
            .Select(variable => variable[(FlusterEnvironment.VmRoot.Length + 1)..]).Distinct(StringComparer.Ordinal),
    ];

    private static string[] Environment(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "environ")).Split('\0');
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return []; // It has ended.
        }
    }
}
