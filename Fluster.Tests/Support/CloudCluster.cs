using System.Globalization;
using System.Text.Json;
using Fluster.Cluster;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>
/// A controller that makes its machines at Google, and no worker that somebody started. In Google's place there is an emulator that runs the machines as processes: each has a directory and an
/// address, its start-up script fetches the worker from the controller, and its worker registers there.
/// </summary>
internal sealed class CloudCluster : IAsyncDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private static int s_networks = Environment.ProcessId;

    private readonly TemporaryDirectory _directory;

    private CloudCluster(TemporaryDirectory directory, EmulatorHost google, ControllerProcess controller)
    {
        (_directory, Google, Controller) = (directory, google, controller);
        Client = controller.Client();
    }

    public EmulatorHost Google { get; }

    public ControllerProcess Controller { get; }

    public FlusterClient Client { get; }

    /// <summary>One directory for each machine that runs.</summary>
    public string Machines => _directory.Path;

    /// <param name="kinds">gce, tpu, or both: the backends.</param>
    /// <param name="settings">More settings of each backend, by their name below it.</param>
    /// <param name="controllerSettings">More settings of the controller, by their name below <c>Fluster:Controller</c>.</param>
    /// <param name="emulator">More arguments of the emulator.</param>
    public static async Task<CloudCluster> StartAsync(
        string kinds = "gce", IReadOnlyDictionary<string, string?>? settings = null, IReadOnlyDictionary<string, string?>? controllerSettings = null, IReadOnlyList<string>? emulator = null)
    {
        var directory = new TemporaryDirectory();
        var network = 100 + (int)((uint)Interlocked.Increment(ref s_networks) % 100); // tests that run side by side have other addresses
        var google = await EmulatorHost.StartAsync(["--run", directory.Path, "--network", $"127.{network}", "--operation-ms", "100", .. emulator ?? []]);
        var all = new Dictionary<string, string?>(StringComparer.Ordinal);
        Add("Fluster__Controller__", new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["WorkerDirectory"] = Path.GetDirectoryName(LocalVmTests.WorkerProgram),
            ["VmWatchInterval"] = "00:00:01",
            ["VmOrphanTimeout"] = "00:02:00",
        });
        Add("Fluster__Controller__", controllerSettings);
        foreach (var (index, kind) in kinds.Split(' ').Index())
        {
            Add($"Fluster__Controller__Backends__{index}__", Backend(kind));
            Add($"Fluster__Controller__Backends__{index}__", settings);
        }

        try
        {
            return new CloudCluster(directory, google, await ControllerProcess.StartAsync(all));
        }
        catch
        {
            await google.DisposeAsync();
            directory.Dispose();
            throw;
        }

        Dictionary<string, string?> Backend(string kind) => new(StringComparer.Ordinal)
        {
            ["Kind"] = kind,
            ["Max"] = "8",
            ["Idle"] = "00:00:01",
            ["Project"] = EmulatorHost.Project,
            ["AccessToken"] = "emulated",
            ["ComputeBaseUri"] = google.Options.ComputeBaseUri.AbsoluteUri,
            ["TpuBaseUri"] = google.Options.TpuBaseUri.AbsoluteUri,
            ["BootTimeout"] = "00:03:00",
            ["Zones__0"] = EmulatorHost.Zone,
            ["Zones__1"] = EmulatorHost.OtherZone,
        };

        void Add(string prefix, IReadOnlyDictionary<string, string?>? more)
        {
            foreach (var (name, value) in more ?? new Dictionary<string, string?>(StringComparer.Ordinal))
            {
                all[prefix + name] = value;
            }
        }
    }

    /// <summary>What the controller knows of its machines.</summary>
    public async Task<V1.ListVmsResponse> ListAsync()
    {
        using var channel = Controller.Channel();
        return await ControllerProcess.Service(channel).ListVmsAsync(new V1.ListVmsRequest(), Controller.Headers());
    }

    /// <summary>Everything that Google was ever asked to make, in order.</summary>
    public async Task<IReadOnlyList<MadeThing>> MadeAsync() =>
        [.. (await Google.StateAsync()).GetProperty("made").EnumerateArray().Select(made => made.Deserialize<MadeThing>(JsonSerializerOptions.Web)!)];

    /// <summary>The address of a machine that is there.</summary>
    public async Task<string?> AddressAsync(string machine) =>
        (await Google.StateAsync()).GetProperty("instances").EnumerateArray().Single(instance => instance.GetProperty("name").GetString() == machine).GetProperty("address").GetString();

    /// <summary>The processes that know of a machine's directory, or of any.</summary>
    public IReadOnlyList<int> Processes() =>
        [.. Directory.EnumerateDirectories("/proc").Where(entry => int.TryParse(Path.GetFileName(entry), out _) && EnvironmentOf(entry).Contains(Machines, StringComparison.Ordinal)).Select(entry => int.Parse(Path.GetFileName(entry), CultureInfo.InvariantCulture))];

    /// <summary>Waits for a job's end and says, when that is not what it should be, what all the parts say.</summary>
    public async Task SucceedsAsync(JobHandle job)
    {
        JobStatus status;
        try
        {
            status = await job.WaitAsync().WaitAsync(Patience);
        }
        catch (TimeoutException)
        {
            status = await job.GetStatusAsync();
        }

        if (status.State != JobState.Succeeded)
        {
            Assert.Fail($"{status}\n{await StateAsync()}");
        }
    }

    /// <summary>Waits for something that machines have to come for; what all the parts say is the message when it does not happen.</summary>
    public async Task BecomesAsync(Func<bool> condition, string what)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            if (TimeProvider.System.GetElapsedTime(start) > Patience)
            {
                Assert.Fail($"Not within {Patience.TotalSeconds} s: {what}\n{await StateAsync()}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        }
    }

    /// <summary>Waits until there is no machine any more: no record, no worker, nothing at Google, no process and no directory.</summary>
    public async Task EmptyAsync()
    {
        for (var start = TimeProvider.System.GetTimestamp(); ; await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System))
        {
            var (vms, workers, names) = ((await ListAsync()).Vms.Count, await WorkersAsync(), await Google.NamesAsync());
            var (processes, directories) = (Processes(), Directory.GetFileSystemEntries(Machines).Length);
            if (vms == 0 && workers == 0 && names.Count == 0 && processes.Count == 0 && directories == 0)
            {
                return;
            }

            if (TimeProvider.System.GetElapsedTime(start) > Patience)
            {
                Assert.Fail($"There is something left: {vms} records, {workers} workers, Google has [{string.Join(' ', names)}], processes {string.Join(' ', processes)}, {directories} directories\n{await StateAsync()}");
            }
        }
    }

    /// <summary>What all the parts say, for messages of tests that fail.</summary>
    public async Task<string> StateAsync()
    {
        var state = await Google.StateAsync();
        var hosts = state.GetProperty("instances").EnumerateArray().Select(instance => instance.GetProperty("name"))
            .Concat(state.GetProperty("nodes").EnumerateArray().SelectMany(node => node.GetProperty("hosts").EnumerateArray()));
        var consoles = new List<string>();
        foreach (var host in hosts)
        {
            consoles.Add($"{host}:\n{await Google.ConsoleAsync(host.GetString()!)}");
        }

        return $"Machines: {(await ListAsync()).Vms}\nGoogle: {state}\n{string.Join('\n', consoles)}\nThe controller:\n{Controller.Process.Output}";
    }

    public async ValueTask DisposeAsync()
    {
        await Client.DisposeAsync();
        await Controller.DisposeAsync();
        await Google.DisposeAsync(); // with all machines
        _directory.Dispose();
    }

    private async Task<int> WorkersAsync()
    {
        using var channel = Controller.Channel();
        return (await ControllerProcess.Service(channel).ListWorkersAsync(new V1.ListWorkersRequest(), Controller.Headers())).Workers.Count;
    }

    private static string EnvironmentOf(string process)
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
}

/// <summary>Something that the emulator was asked to make: instances, nodes or queuedResources.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Zone">Where.</param>
/// <param name="Name">What it is called.</param>
/// <param name="Shape">Its machine type, or its slice.</param>
/// <param name="Present">How many of its kind there were then, with it.</param>
/// <param name="Failed">Whether that failed, and left nothing.</param>
internal sealed record MadeThing(string Kind, string Zone, string Name, string Shape, int Present, bool Failed);
