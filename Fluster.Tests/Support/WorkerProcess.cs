namespace Fluster.Tests;

/// <summary>A worker as a real process, with a data directory of its own. Can be killed and started again on the same data.</summary>
internal sealed class WorkerProcess : IAsyncDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly Dictionary<string, string?> _environment;
    private ServiceProcess? _process;

    /// <param name="controller">Whose worker it is.</param>
    /// <param name="id">Its name.</param>
    /// <param name="settings">More settings by environment name, for example <c>Fluster__Worker__Isolation</c>.</param>
    public WorkerProcess(ControllerProcess controller, string id, IReadOnlyDictionary<string, string?>? settings = null)
    {
        Id = id;
        _environment = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["HOME"] = _directory.Path,
            ["Fluster__Worker__Id"] = id,
            ["Fluster__Worker__Token"] = controller.WorkerToken(id),
            ["Fluster__Worker__DataDirectory"] = DataDirectory,
            ["Fluster__Worker__ControllerAddress"] = controller.GrpcAddress,
            ["Fluster__Worker__Cpu"] = "8",
            ["Fluster__Worker__Memory"] = "8g",
            ["Fluster__Worker__MaxConcurrentJobs"] = "50",
            ["Fluster__Worker__PortRange"] = "10000-20000",
            ["Fluster__Worker__DockerSocket"] = TestEngine.Socket,
        };
        foreach (var (name, value) in settings ?? new Dictionary<string, string?>(StringComparer.Ordinal))
        {
            _environment[name] = value;
        }
    }

    public string Id { get; }

    /// <summary>HOME of the worker and of all that it starts, and so a mark of theirs.</summary>
    public string Home => _directory.Path;

    public string DataDirectory => Path.Combine(_directory.Path, "data");

    public ServiceProcess Process => _process ?? throw new InvalidOperationException("The worker is not running.");

    /// <summary>The mark by which all processes of this run are found.</summary>
    public string WardId => File.ReadLines(Path.Combine(DataDirectory, "ward")).First();

    public void Start() => _process = ServiceProcess.Start("Fluster.Worker", _environment, _directory.Path);

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        await Process.KillAsync();
        await Process.DisposeAsync();
        _process = null;
    }

    /// <summary>SIGTERM, and waits until it has ended.</summary>
    public async Task<(int ExitCode, string Output)> StopAsync()
    {
        Process.Stop();
        return await EndedAsync();
    }

    /// <summary>Waits until it has ended by itself.</summary>
    public async Task<(int ExitCode, string Output)> EndedAsync()
    {
        await Process.WaitForExitAsync(TimeSpan.FromSeconds(30));
        var ended = (Process.ExitCode, Process.Output);
        await Process.DisposeAsync();
        _process = null;
        return ended;
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await _process.DisposeAsync();
        }

        if (OperatingSystem.IsLinux() && Worker.Ward.Load(DataDirectory) is { } ward)
        {
            Assert.True(ward.SweepUntilEmpty(patience: TimeSpan.FromSeconds(20)), "The worker's processes do not end.");
        }

        _directory.Dispose();
    }
}
