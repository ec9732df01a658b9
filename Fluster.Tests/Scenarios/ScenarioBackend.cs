using Fluster.Cluster;
using Fluster.Local;

namespace Fluster.Tests;

/// <summary>One way to have a cluster, started once for all scenarios. Another backend is another class like those below, and a file like those beside this one.</summary>
public abstract class ScenarioBackend : IAsyncLifetime
{
    /// <summary>The cluster as a program outside of all jobs has it.</summary>
    public abstract IClusterController Client { get; }

    public abstract Task InitializeAsync();

    public abstract Task DisposeAsync();
}

/// <summary>Jobs in this process.</summary>
public sealed class LocalClientBackend : ScenarioBackend
{
    public override IClusterController Client { get; } = new LocalClient();

    public override Task InitializeAsync() => Task.CompletedTask;

    public override Task DisposeAsync() => Client.DisposeAsync().AsTask();
}

/// <summary>A controller and a worker inside this process.</summary>
public sealed class LocalClusterBackend : ScenarioBackend
{
    private LocalCluster? _cluster;

    public override IClusterController Client => _cluster?.Client ?? throw new InvalidOperationException("The cluster was not started.");

    public override async Task InitializeAsync() => _cluster = await LocalCluster.StartAsync();

    public override async Task DisposeAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
        }
    }
}

/// <summary>A controller and a worker in processes of their own.</summary>
public sealed class RpcBackend : ScenarioBackend
{
    private TestCluster? _cluster;

    public override IClusterController Client => _cluster?.Client ?? throw new InvalidOperationException("The cluster was not started.");

    public override async Task InitializeAsync() => _cluster = await TestCluster.StartAsync();

    public override async Task DisposeAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
        }
    }
}

/// <summary>What scenarios have in common.</summary>
internal static class Scenario
{
    /// <summary>What the job wrote to its standard output, until its end.</summary>
    public static ValueTask<List<string>> LinesAsync(JobHandle job) =>
        job.StreamLogs().Where(line => line.Stream == JobLogStream.Stdout).Select(line => line.Text).ToListAsync();

    /// <summary>Returns when the job has written something.</summary>
    public static ValueTask<JobLogLine> FirstLineAsync(JobHandle job) => job.StreamLogs().FirstAsync();
}
