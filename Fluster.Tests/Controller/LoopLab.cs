using Fluster.Cluster;
using Fluster.Controller;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fluster.Tests;

/// <summary>The real loop over a real database, without RPCs.</summary>
internal sealed class LoopLab : IDisposable
{
    private static long s_ids;

    private readonly TemporaryDirectory _directory = new();
    private OpenedCluster _opened;

    /// <param name="dataDirectory">A directory with data. Default: a new one of its own.</param>
    public LoopLab(string? dataDirectory = null)
    {
        DataDirectory = dataDirectory ?? _directory.File("data");
        _opened = OpenedCluster.Open(DataDirectory);
        Loop = NewLoop();
    }

    public string DataDirectory { get; }

    public ClusterLoop Loop { get; private set; }

    public ClusterStore Store => _opened.Store;

    public OpenedCluster Opened => _opened;

    public List<ClusterEffect> Effects { get; } = [];

    public void Start(params ICommitListener[] listeners) => Loop.Start(Effects.Add, listeners);

    /// <summary>Closes everything and opens it again, as a new process would.</summary>
    public void Reopen()
    {
        Loop.Dispose();
        _opened.Dispose();
        _opened = OpenedCluster.Open(DataDirectory);
        Loop = NewLoop();
    }

    public static ClusterInput.SubmitJob Submit(string? id = null)
    {
        var number = Interlocked.Increment(ref s_ids);
        id ??= $"job-{number:x8}";
        return new ClusterInput.SubmitJob(
            JobId.Parse(id),
            $"request {number}",
            Namespace.Default,
            new JobTerms { Name = "job", Shape = new ResourceShape { CpuMillis = 100 } },
            "the request"u8.ToArray(),
            default,
            default);
    }

    public static ClusterInput.Hello Hello(string id = "w1") => new(
        WorkerId.Parse(id),
        1,
        new WorkerTraits { Capacity = new ResourceShape { CpuMillis = 4_000 }, MaxConcurrentJobs = 10 },
        []);

    public void Dispose()
    {
        Loop.Dispose();
        _opened.Dispose();
        _directory.Dispose();
    }

    private ClusterLoop NewLoop() => new(
        _opened.State,
        new JobDirectory(),
        _opened.Store,
        new LeaseSettings(),
        TimeProvider.System,
        exception => Environment.FailFast("The loop failed.", exception),
        NullLogger<ClusterLoop>.Instance);
}
