using System.Runtime.Versioning;
using Fluster.Cluster;
using Fluster.Worker;
using Microsoft.Extensions.Logging.Abstractions;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>A runtime of processes.</summary>
[SupportedOSPlatform("linux")]
internal sealed class RuntimeBench : AttemptBench
{
    private readonly string _directory;

    public RuntimeBench(string mode, TimeSpan? unkillableAfter = null, string? directory = null, bool users = true)
    {
        const UnixFileMode ThroughForAll = (UnixFileMode)0b111_001_001;
        _directory = directory is null ? Directory.CreateTempSubdirectory("fluster-runtime-").FullName : Directory.CreateDirectory(Path.Combine(directory, "runtime")).FullName;
        File.SetUnixFileMode(_directory, ThroughForAll);
        Directory.CreateDirectory(Path.Combine(_directory, "work"), ThroughForAll);
        Isolation = Isolation.Candidates(Ward.NewId(), Enum.Parse<IsolationMode>(mode)).Single();
        Pump = new DescriptorPump(TimeProvider.System, NullLogger<DescriptorPump>.Instance);
        Launcher = new ProcessLauncher(Isolation.Ward, Pump, NullLogger<ProcessLauncher>.Instance);
        Launcher.Start();
        var blobs = new BlobCache(Path.Combine(_directory, "blobs"), FetchAsync);
        Runtime = new ProcessRuntime(Path.Combine(_directory, "work"), (fence, spec) => OpenLog(fence, spec, Path.Combine(_directory, "spool", fence.ToString())), TimeProvider.System)
        {
            Isolation = Isolation,
            Launcher = Launcher,
            Users = users && Environment.IsPrivilegedProcess ? new UserPool(UserRange.Parse("200000-209999"), UserRange.Taken(), Isolation.Ward, UserPool.DefaultLockDirectory) : null,
            Pump = Pump,
            Ports = new PortPool(new PortRange(20000, 25000), PortRange.Ephemeral(), Path.Combine(_directory, "ports")),
            Blobs = blobs,
            Bundles = new BundleStore(Path.Combine(_directory, "bundles"), blobs),
            Surroundings = SurroundingsWith(BaseEnvironment.Of(Environment.GetEnvironmentVariables())),
            JobHostPath = "",
            UnkillableAfter = unkillableAfter ?? TimeSpan.FromSeconds(60),
            Logger = NullLogger.Instance,
        };
    }

    public string DirectoryPath => _directory;

    public Isolation Isolation { get; }

    public DescriptorPump Pump { get; }

    public ProcessLauncher Launcher { get; }

    public ProcessRuntime Runtime { get; }

    protected override IJobRuntime AttemptRuntime => Runtime;

    /// <summary>Blobs that the cluster has.</summary>
    public Dictionary<string, byte[]> Blobs { get; } = [];

    public static V1.AttemptSpec Bash(string script, Action<V1.AttemptSpec>? more = null) => Command(["bash", "-c", script], more);

    public static V1.AttemptSpec Command(IEnumerable<string> argv, Action<V1.AttemptSpec>? more = null)
    {
        var command = new V1.CommandEntrypoint();
        command.Argv.AddRange(argv);
        var spec = new V1.AttemptSpec
        {
            JobId = "test-1a2b3c4d",
            Namespace = "default",
            TaskCount = 1,
            Entrypoint = new V1.Entrypoint { Command = command },
            Environment = new V1.JobEnvironment(),
            Resources = new V1.ResourceSpec { CpuMillis = 100 },
            Token = "secret",
            AttemptNumber = 1,
        };
        more?.Invoke(spec);
        return spec;
    }

    /// <summary>Makes the cluster have a blob.</summary>
    public V1.BlobRef AddBlob(byte[] content)
    {
        var hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(content));
        Blobs[hash] = content;
        return new V1.BlobRef { Hash = hash, Size = content.Length };
    }

    public override async ValueTask DisposeAsync()
    {
        await Runtime.DisposeAsync();
        Launcher.Dispose();
        Isolation.Ward.SweepUntilEmpty(patience: TimeSpan.FromSeconds(10));
        Pump.Dispose();
        CloseLogs();

        Directory.Delete(_directory, recursive: true);
    }

    private async Task FetchAsync(V1.BlobRef blob, Stream destination, CancellationToken cancellationToken) =>
        await destination.WriteAsync(Blobs[blob.Hash], cancellationToken);
}

/// <summary>One attempt under test.</summary>
internal sealed class RunningTest(Fence fence)
{
    private readonly TaskCompletionSource<AttemptEnd> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<WorkerEvent.Running> _running = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<WorkerEvent.Undead> _undead = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Fence Fence { get; } = fence;

    public IRunningAttempt Attempt { get; set; } = null!;

    public int Ends { get; private set; }

    public void Report(WorkerEvent workerEvent)
    {
        switch (workerEvent)
        {
            case WorkerEvent.Running running:
                _running.SetResult(running);
                break;
            case WorkerEvent.Undead undead:
                _undead.TrySetResult(undead);
                break;
            case WorkerEvent.Ended ended:
                Ends++;
                _ended.SetResult(ended.End);
                break;
        }
    }

    public Task<WorkerEvent.Running> RunningAsync() => _running.Task.WaitAsync(TimeSpan.FromSeconds(20));

    public Task<WorkerEvent.Undead> UndeadAsync() => _undead.Task.WaitAsync(TimeSpan.FromSeconds(30));

    public Task<AttemptEnd> EndAsync() => _ended.Task.WaitAsync(TimeSpan.FromSeconds(30));
}
