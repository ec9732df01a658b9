using System.Collections.Concurrent;
using System.Runtime.Versioning;
using System.Text;
using Fluster.Cluster;
using Fluster.Worker;
using Microsoft.Extensions.Logging.Abstractions;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>A container runtime over the real engine of this machine, and nothing above it: a test plays the supervisor.</summary>
[SupportedOSPlatform("linux")]
internal sealed class DockerBench : IAsyncDisposable
{
    private static ulong s_fences = 1UL << 41;

    private readonly TemporaryDirectory _directory = new();
    private readonly ConcurrentDictionary<Fence, LogSpool> _logs = [];
    private readonly DescriptorPump _pump = new(TimeProvider.System, NullLogger<DescriptorPump>.Instance);

    public DockerBench(TimeSpan? unkillableAfter = null)
    {
        Ward = new Ward(Ward.NewId(), "") { EngineFile = Ward.EngineFileIn(_directory.Path) };
        var blobs = new BlobCache(_directory.File("blobs"), (_, _, _) => throw new InvalidOperationException("There are no blobs."));
        Runtime = new DockerRuntime(new DockerEngine(TestEngine.Socket), _directory.File("work"), OpenLog, TimeProvider.System)
        {
            Ward = Ward,
            Directory = _directory.Path,
            Pump = _pump,
            Ports = new PortPool(new PortRange(20000, 25000), PortRange.Ephemeral(), _directory.File("ports")),
            Blobs = blobs,
            Bundles = new BundleStore(_directory.File("bundles"), blobs),
            JobHostPath = "",
            ClusterId = () => "cluster-a",
            Logger = NullLogger.Instance,
            UnkillableAfter = unkillableAfter ?? TimeSpan.FromSeconds(60),
            Surroundings = new WorkerSurroundings
            {
                WorkerId = "worker-1",
                BindHost = "127.0.0.1",
                AdvertiseHost = "127.0.0.1",
                ControllerAddress = () => "http://127.0.0.1:7070",
                ClusterKey = () => "public key",
                BaseVariables = new Dictionary<string, string>(StringComparer.Ordinal),
            },
        };
    }

    public Ward Ward { get; }

    public DockerRuntime Runtime { get; }

    public DockerEngine Engine => Runtime.Engine;

    public string WorkDirectory => _directory.File("work");

    public static V1.AttemptSpec Bash(string script, Action<V1.AttemptSpec>? more = null) => Command(["bash", "-c", script], more);

    public static V1.AttemptSpec Command(IEnumerable<string> argv, Action<V1.AttemptSpec>? more = null) => RuntimeBench.Command(argv, spec =>
    {
        spec.Environment.Image = TestEngine.Image;
        spec.Resources.CpuMillis = 1000;
        more?.Invoke(spec);
    });

    public RunningTest Start(V1.AttemptSpec spec)
    {
        var fence = new Fence(Interlocked.Increment(ref s_fences));
        var test = new RunningTest(fence);
        test.Attempt = Runtime.Start(fence, spec, test.Report);
        return test;
    }

    public Task<AttemptEnd> RunAsync(V1.AttemptSpec spec) => Start(spec).EndAsync();

    public async Task<(AttemptEnd End, string Output)> RunForOutputAsync(V1.AttemptSpec spec, V1.LogStream stream = V1.LogStream.Stdout)
    {
        var test = Start(spec);
        var end = await test.EndAsync();
        return (end, TextOf(test.Fence, stream));
    }

    public string TextOf(Fence fence, V1.LogStream stream)
    {
        var text = new StringBuilder();
        for (var sequence = 0L; _logs[fence].Read(sequence) is { } chunk; sequence++)
        {
            if (chunk.Stream == stream)
            {
                text.Append(chunk.Gap ? $"[gap {chunk.LineCount}]" : chunk.Data.ToStringUtf8());
            }
        }

        return text.ToString();
    }

    /// <summary>The container of an attempt.</summary>
    public string NameOf(Fence fence) => $"fluster-{Ward.Id}-{fence}";

    public async Task<IReadOnlyList<string>> ContainersAsync() =>
        [.. (await Engine.ListAsync(WardContainers.WardLabel, Ward.Id, CancellationToken.None)).Select(container => container.Id)];

    public async ValueTask DisposeAsync()
    {
        if (!_logs.IsEmpty)
        {
            await WardContainers.RemoveAsync(Engine, WardContainers.WardLabel, Ward.Id, new HashSet<string>(StringComparer.Ordinal), CancellationToken.None);
        }

        Runtime.Dispose();
        _pump.Dispose();
        foreach (var log in _logs.Values)
        {
            log.Dispose();
        }

        _directory.Dispose();
    }

    private LogSpool OpenLog(Fence fence, V1.AttemptSpec spec) =>
        _logs[fence] = LogSpool.Open(_directory.File($"spool-{fence}"), new LogOwner(fence, spec.JobId, spec.TaskIndex));
}
