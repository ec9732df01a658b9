using System.Globalization;
using System.Text.Json;

namespace Fluster.Backends;

/// <summary>
/// Machines that are worker processes beside the controller (seed 003, stage 3): for trying, and for tests of all that has to do with machines. Each has a session and
/// a directory of its own, and outlives the controller; what exists is what has a directory.
/// </summary>
internal sealed class LocalProcessBackend : IVmBackend
{
    private const string ShapeName = "process";
    private const string RequestFile = "machine.json";

    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(20);

    /// <summary>For a worker's guard to end what the worker left. Longer than anything but a process that cannot be killed needs.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly string _root;
    private readonly string _clusterId;
    private readonly string _worker;
    private readonly ResourceSpec _each;
    private readonly TimeProvider _time;

    private LocalProcessBackend(VmBackendSetup setup, string worker, ResourceSpec each)
    {
        (Name, _root, _clusterId, _time) = (setup.Name, Path.GetFullPath(setup.DataDirectory), setup.ClusterId, setup.Time);
        (_worker, _each) = (worker, each);
        BootTimeout = setup.Get(nameof(BootTimeout), TimeSpan.FromSeconds(60), text => TimeSpan.Parse(text, CultureInfo.InvariantCulture));
    }

    public string Name { get; }

    public TimeSpan BootTimeout { get; }

    /// <exception cref="FormatException">A setting is wrong, or the worker program is not there.</exception>
    public static LocalProcessBackend Create(VmBackendSetup setup)
    {
        setup.Only("Cpu", "Memory", "Disk", "WorkerPath", nameof(BootTimeout));
        if (!OperatingSystem.IsLinux())
        {
            throw new FormatException($"{setup.Path}:Kind is '{setup.Kind}', and workers run on Linux only.");
        }

        var worker = Path.GetFullPath(setup.Get("WorkerPath") ?? Path.Combine(AppContext.BaseDirectory, "worker", "Fluster.Worker.dll"));
        if (!File.Exists(worker))
        {
            throw new FormatException($"{setup.Path}:WorkerPath: there is no worker program '{worker}'.");
        }

        return new LocalProcessBackend(setup, worker, new ResourceSpec
        {
            Cpu = setup.Get("Cpu", Environment.ProcessorCount, text => double.Parse(text, CultureInfo.InvariantCulture)),
            Memory = setup.Get("Memory", ByteSize.FromGiB(4), ByteSize.Parse),
            Disk = setup.Get("Disk", ByteSize.FromGiB(10), ByteSize.Parse),
        });
    }

    public IReadOnlyList<VmOffer> Offers(ResourceSpec needs) =>
        needs.Device is Device.Cpu && needs.Regions.Count == 0 && needs.CpuMillis <= _each.CpuMillis && needs.Memory <= _each.Memory && needs.Disk <= _each.Disk
            ? [new VmOffer(ShapeName, "", _each) { Scopes = [Name] }]
            : [];

    public Task AllocateAsync(VmRequest request, CancellationToken cancellationToken = default) => Task.Run(
        () =>
        {
            try
            {
                Allocate(request);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or System.ComponentModel.Win32Exception)
            {
                throw new VmException(VmFailureKind.Transient, $"The worker of '{request.Id}' could not be started: {exception.Message}", exception) { Scope = Name, MayExist = true };
            }
        },
        cancellationToken);

    public async Task ReleaseAsync(VmId id, string zone, CancellationToken cancellationToken = default)
    {
        var directory = DirectoryOf(id);
        if (MarkOf(directory) != _clusterId)
        {
            return; // gone, never made, or somebody else's
        }

        VmProcesses.Kill(VmProcesses.MainOf(DataOf(directory)));

        // The worker's guard ends all that the worker had, and then itself; so does the sweep, should the guard have been killed, too.
        var started = _time.GetTimestamp();
        while (VmProcesses.AllOf(DataOf(directory)).Count > 0)
        {
            if (_time.GetElapsedTime(started) > s_patience)
            {
                throw new VmException(VmFailureKind.Transient, $"Processes of '{id}' have not ended.") { Scope = Name, MayExist = true };
            }

            await Task.Delay(s_look, _time, cancellationToken);
        }

        try
        {
            await VmProcesses.SweepAsync(_worker, DataOf(directory), cancellationToken);
            Directory.Delete(directory, recursive: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new VmException(VmFailureKind.Transient, $"What '{id}' left cannot be removed: {exception.Message}", exception) { Scope = Name, MayExist = true };
        }
    }

    public Task<VmInfo?> GetAsync(VmId id, string zone, CancellationToken cancellationToken = default) =>
        Task.FromResult(MarkOf(DirectoryOf(id)) == _clusterId ? InfoOf(id) : null);

    public Task<VmListing> ListAsync(CancellationToken cancellationToken = default)
    {
        var vms = new List<VmInfo>();
        foreach (var directory in Directory.Exists(_root) ? Directory.GetDirectories(_root).Order(StringComparer.Ordinal).ToArray() : [])
        {
            if (MarkOf(directory) == _clusterId && VmId.TryParse(Path.GetFileName(directory), out var id))
            {
                vms.Add(InfoOf(id));
            }
        }

        return Task.FromResult(new VmListing(vms, IsComplete: true));
    }

    private void Allocate(VmRequest request)
    {
        var directory = DirectoryOf(request.Id);
        if (!Directory.Exists(directory))
        {
            // It is there with its mark or not at all.
            var draft = Path.Combine(_root, $".{request.Id}");
            Directory.CreateDirectory(DataOf(draft));
            File.WriteAllText(Path.Combine(draft, RequestFile), JsonSerializer.Serialize(new Dictionary<string, string>(StringComparer.Ordinal) { ["cluster"] = request.ClusterId }));
            Directory.Move(draft, directory);
        }
        else if (MarkOf(directory) != request.ClusterId)
        {
            throw new VmException(VmFailureKind.NameTaken, $"'{directory}' is another cluster's.");
        }

        // Asked for again: a worker that has ended begins anew, as after a reboot.
        if (VmProcesses.MainOf(DataOf(directory)) is null)
        {
            VmProcesses.Start(_worker, DataOf(directory), Path.Combine(directory, "output.log"), request.WorkerEnvironment);
        }
    }

    private VmInfo InfoOf(VmId id)
    {
        var directory = DirectoryOf(id);
        var runs = VmProcesses.MainOf(DataOf(directory)) is not null;
        return new VmInfo(id, runs ? VmStatus.Running : VmStatus.Stopped)
        {
            Shape = ShapeName,
            Addresses = ["127.0.0.1"],
            CreatedAt = new DateTimeOffset(Directory.GetCreationTimeUtc(directory), TimeSpan.Zero),
            Detail = runs ? "" : $"its worker has ended; what it wrote is in {Path.Combine(directory, "output.log")}",
        };
    }

    private string DirectoryOf(VmId id) => Path.Combine(_root, id.ToString());

    private static string DataOf(string directory) => Path.Combine(directory, "data");

    /// <summary>The cluster whose machine has this directory; null: there is none.</summary>
    private static string? MarkOf(string directory)
    {
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(directory, RequestFile)));
            return json.RootElement.GetProperty("cluster").GetString();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException or KeyNotFoundException)
        {
            return null;
        }
    }
}
