using System.Collections.Concurrent;
using System.Runtime.Versioning;
using System.Text;
using Fluster.Cluster;
using Fluster.Worker;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>A runtime with everything below it real, and nothing above it: a test plays the supervisor.</summary>
[SupportedOSPlatform("linux")]
internal abstract class AttemptBench : IAsyncDisposable
{
    private static ulong s_fences = 1UL << 40;

    private readonly ConcurrentDictionary<Fence, LogSpool> _logs = [];

    /// <summary>Whether an attempt was ever started.</summary>
    protected bool IsUsed => !_logs.IsEmpty;

    protected abstract IJobRuntime AttemptRuntime { get; }

    public RunningTest Start(V1.AttemptSpec spec)
    {
        var fence = new Fence(Interlocked.Increment(ref s_fences));
        var test = new RunningTest(fence);
        test.Attempt = AttemptRuntime.Start(fence, spec, test.Report);
        return test;
    }

    public Task<AttemptEnd> RunAsync(V1.AttemptSpec spec) => Start(spec).EndAsync();

    public async Task<(AttemptEnd End, string Output)> RunForOutputAsync(V1.AttemptSpec spec, V1.LogStream stream = V1.LogStream.Stdout)
    {
        var test = Start(spec);
        var end = await test.EndAsync();
        return (end, TextOf(test.Fence, stream));
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

    public LogSpool LogOf(Fence fence) => _logs[fence];

    public abstract ValueTask DisposeAsync();

    protected static WorkerSurroundings SurroundingsWith(IReadOnlyDictionary<string, string> baseVariables) => new()
    {
        WorkerId = "worker-1",
        BindHost = "127.0.0.1",
        AdvertiseHost = "127.0.0.1",
        ControllerAddress = () => "http://127.0.0.1:7070",
        ClusterKey = () => "public key",
        BaseVariables = baseVariables,
    };

    protected LogSpool OpenLog(Fence fence, V1.AttemptSpec spec, string directory) =>
        _logs[fence] = LogSpool.Open(directory, new LogOwner(fence, spec.JobId, spec.TaskIndex));

    protected void CloseLogs()
    {
        foreach (var log in _logs.Values)
        {
            log.Dispose();
        }
    }
}
