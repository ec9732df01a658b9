using System.Collections.Concurrent;
using System.Runtime.Versioning;
using System.Text;
using Fluster.Cluster;
using Fluster.Worker;
using Microsoft.Extensions.Logging.Abstractions;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>A process runtime with everything below it real, and nothing above it: a test plays the supervisor.</summary>
[SupportedOSPlatform("linux")]
internal sealed class RuntimeBench : IAsyncDisposable
{
    private static ulong s_fences = 1UL << 40;

    private readonly string _directory;
    private readonly ConcurrentDictionary<Fence, LogSpool> _logs = [];

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
        Runtime = new ProcessRuntime(Path.Combine(_directory, "work"), OpenLog, TimeProvider.System)
        {
            Isolation = Isolation,
            Launcher = Launcher,
            Users = users && Environment.IsPrivilegedProcess ? new UserPool(UserRange.Parse("200000-209999"), UserRange.Taken(), Isolation.Ward, UserPool.DefaultLockDirectory) : null,
            Pump = Pump,
            Ports = new PortPool(new PortRange(20000, 25000), PortRange.Ephemeral(), Path.Combine(_directory, "ports")),
            Blobs = blobs,
            Bundles = new BundleStore(Path.Combine(_directory, "bundles"), blobs),
            Surroundings = new WorkerSurroundings
            {
                WorkerId = "worker-1",
                BindHost = "127.0.0.1",
                AdvertiseHost = "127.0.0.1",
                ControllerAddress = () => "http://127.0.0.1:7070",
                ClusterKey = () => "public key",
                BaseVariables = BaseEnvironment.Of(Environment.GetEnvironmentVariables()),
            },
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

    public RunningTest Start(V1.AttemptSpec spec)
    {
        var fence = new Fence(Interlocked.Increment(ref s_fences));
        var test = new RunningTest(fence);
        test.Attempt = Runtime.Start(fence, spec, test.Report);
        return test;
    }

    public Task<AttemptEnd> RunAsync(V1.AttemptSpec spec) => Start(spec).EndAsync();

    public async Task<(AttemptEnd End, string Output)> RunForOutputAsync(V1.AttemptSpec spec)
    {
        var test = Start(spec);
        var end = await test.EndAsync();
        return (end, TextOf(test.Fence, V1.LogStream.Stdout));
    }

    /// <summary>What a stream of an attempt has so far, gaps as such.</summary>
    public string TextOf(Fence fence, V1.LogStream stream)
    {
        var text = new StringBuilder();
        var log = _logs[fence];
        for (var sequence = 0L; log.Read(sequence) is { } chunk; sequence++)
        {
            if (chunk.Stream == stream)
            {
                text.Append(chunk.Gap ? $"[gap {chunk.LineCount}]" : chunk.Data.ToStringUtf8());
            }
        }

        return text.ToString();
    }

    /// <summary>Makes the cluster have a blob.</summary>
    public V1.BlobRef AddBlob(byte[] content)
    {
        var hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(content));
        Blobs[hash] = content;
        return new V1.BlobRef { Hash = hash, Size = content.Length };
    }

    public LogSpool LogOf(Fence fence) => _logs[fence];

    public async ValueTask DisposeAsync()
    {
        await Runtime.DisposeAsync();
        Launcher.Dispose();
        Isolation.Ward.SweepUntilEmpty(patience: TimeSpan.FromSeconds(10));
        Pump.Dispose();
        foreach (var log in _logs.Values)
        {
            log.Dispose();
        }

        Directory.Delete(_directory, recursive: true);
    }

    private LogSpool OpenLog(Fence fence, V1.AttemptSpec spec) =>
        _logs[fence] = LogSpool.Open(Path.Combine(_directory, "spool", fence.ToString()), new LogOwner(fence, spec.JobId, spec.TaskIndex));

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
