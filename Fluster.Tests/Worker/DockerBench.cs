using System.Runtime.Versioning;
using Fluster.Cluster;
using Fluster.Worker;
using Microsoft.Extensions.Logging.Abstractions;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>A runtime of containers, over the real engine of this machine.</summary>
[SupportedOSPlatform("linux")]
internal sealed class DockerBench : AttemptBench
{
    private readonly TemporaryDirectory _directory = new();
    private readonly DescriptorPump _pump = new(TimeProvider.System, NullLogger<DescriptorPump>.Instance);

    public DockerBench(TimeSpan? unkillableAfter = null, uint metadataGroup = 0)
    {
        Ward = new Ward(Ward.NewId(), "") { EngineFile = Ward.EngineFileIn(_directory.Path) };
        var blobs = new BlobCache(_directory.File("blobs"), (_, _, _) => throw new InvalidOperationException("There are no blobs."));
        Runtime = new DockerRuntime(new DockerEngine(TestEngine.Socket), _directory.File("work"), (fence, spec) => OpenLog(fence, spec, _directory.File($"spool-{fence}")), TimeProvider.System)
        {
            Ward = Ward,
            Directory = _directory.Path,
            Pump = _pump,
            Ports = new PortPool(new PortRange(20000, 25000), PortRange.Ephemeral(), _directory.File("ports")),
            Blobs = blobs,
            Bundles = new BundleStore(_directory.File("bundles"), blobs),
            JobHostPath = "",
            ClusterId = () => "cluster-a",
            MetadataGroup = metadataGroup,
            Logger = NullLogger.Instance,
            UnkillableAfter = unkillableAfter ?? TimeSpan.FromSeconds(60),
            Surroundings = SurroundingsWith(new Dictionary<string, string>(StringComparer.Ordinal)),
        };
    }

    public Ward Ward { get; }

    public DockerRuntime Runtime { get; }

    protected override IJobRuntime AttemptRuntime => Runtime;

    public DockerEngine Engine => Runtime.Engine;

    public string WorkDirectory => _directory.File("work");

    public static V1.AttemptSpec Bash(string script, Action<V1.AttemptSpec>? more = null) => Command(["bash", "-c", script], more);

    public static V1.AttemptSpec Command(IEnumerable<string> argv, Action<V1.AttemptSpec>? more = null) => RuntimeBench.Command(argv, spec =>
    {
        spec.Environment.Image = TestEngine.Image;
        spec.Resources.CpuMillis = 1000;
        more?.Invoke(spec);
    });

    /// <summary>The container of an attempt.</summary>
    public string NameOf(Fence fence) => $"fluster-{Ward.Id}-{fence}";

    public async Task<IReadOnlyList<string>> ContainersAsync() =>
        [.. (await Engine.ListAsync(WardContainers.WardLabel, Ward.Id, CancellationToken.None)).Select(container => container.Id)];

    public override async ValueTask DisposeAsync()
    {
        if (IsUsed)
        {
            await WardContainers.RemoveAsync(Engine, WardContainers.WardLabel, Ward.Id, static _ => false, CancellationToken.None);
        }

        Runtime.Dispose();
        _pump.Dispose();
        CloseLogs();

        _directory.Dispose();
    }
}
