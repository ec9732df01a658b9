using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>A controller and its workers as real processes of their own.</summary>
internal sealed class TestCluster : IAsyncDisposable
{
    private readonly List<WorkerProcess> _workers = [];
    private readonly IReadOnlyDictionary<string, string?>? _workerSettings;

    private TestCluster(ControllerProcess controller, IReadOnlyDictionary<string, string?>? workerSettings, TimeSpan? clientPatience)
    {
        _workerSettings = workerSettings;
        Controller = controller;
        Client = controller.Client(patience: clientPatience);
    }

    public ControllerProcess Controller { get; }

    public IReadOnlyList<WorkerProcess> Workers => _workers;

    /// <summary>As a program would speak to it, as admin.</summary>
    public FlusterClient Client { get; }

    /// <summary>Starts a controller and workers, and returns when all of them are connected.</summary>
    /// <param name="workers">How many.</param>
    /// <param name="controllerSettings">By environment name.</param>
    /// <param name="workerSettings">By environment name, for every worker.</param>
    /// <param name="clientPatience">How long the client waits for a controller that is away. Default: its own.</param>
    public static async Task<TestCluster> StartAsync(
        int workers = 1,
        IReadOnlyDictionary<string, string?>? controllerSettings = null,
        IReadOnlyDictionary<string, string?>? workerSettings = null,
        TimeSpan? clientPatience = null)
    {
        var cluster = new TestCluster(await ControllerProcess.StartAsync(controllerSettings), workerSettings, clientPatience);
        try
        {
            for (var i = 0; i < workers; i++)
            {
                cluster.StartWorker();
            }

            await cluster.WorkersConnectedAsync();
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts one worker more, and returns when all are connected.</summary>
    public Task AddWorkerAsync()
    {
        StartWorker();
        return WorkersConnectedAsync();
    }

    /// <summary>A job of a shell's. What it makes in a test's directory another attempt, with another user, may write to.</summary>
    public static JobRequest Bash(string script, string name = "test") => new() { Name = name, Entrypoint = JobEntrypoint.Command("bash", "-c", $"umask 0; {script}") };

    /// <summary>Returns when every worker that runs has been heard by the controller since it was started.</summary>
    public Task WorkersConnectedAsync() => WorkersAsync(
        workers => workers.Count(worker => IsLinked(worker) && worker.Health is not null) == _workers.Count,
        seen => $"The controller sees: {seen}\n\n{Controller.Process.Output}\n\n{string.Join("\n\n", _workers.Select(worker => $"{worker.Id}: {worker.Process.Output}"))}");

    /// <summary>Returns when nothing of a worker's capacity is held any more; of every worker's when it is not named.</summary>
    public Task CapacityFreeAsync(string? worker = null) => WorkersAsync(
        workers => workers.Where(info => worker is null || info.WorkerId == worker).All(info => IsLinked(info) && info is { RunningAttempts: 0, Used: { CpuMillis: 0, MemoryBytes: 0, DiskBytes: 0 } }),
        seen => $"Capacity did not come back: {seen}");

    /// <summary>Everything that a job wrote to one stream, over all its attempts; waits for its end unless told not to.</summary>
    public async Task<string> LogAsync(JobId job, JobLogStream stream = JobLogStream.Stdout, bool follow = true)
    {
        var lines = new List<string>();
        await foreach (var line in Client.StreamLogs(job, new LogOptions { Follow = follow }))
        {
            if (line.Stream == stream)
            {
                lines.Add(line.Text);
            }
        }

        return string.Join('\n', lines);
    }

    /// <summary>One in quarantine is there, too: it only gets no new work for a while.</summary>
    private async Task WorkersAsync(Func<IEnumerable<Cluster.V1.WorkerInfo>, bool> condition, Func<string, string> state)
    {
        using var channel = Controller.Channel();
        var service = ControllerProcess.Service(channel);
        var seen = "";
        await Eventually.True(
            async () =>
            {
                var workers = (await service.ListWorkersAsync(new Cluster.V1.ListWorkersRequest(), Controller.Headers())).Workers;
                seen = workers.ToString();
                return condition(workers);
            },
            () => state(seen));
    }

    private static bool IsLinked(Cluster.V1.WorkerInfo worker) => worker.State is "Alive" or "Quarantined";

    private void StartWorker()
    {
        var worker = new WorkerProcess(Controller, $"worker-{_workers.Count + 1}", _workerSettings);
        _workers.Add(worker);
        worker.Start();
    }

    public async ValueTask DisposeAsync()
    {
        await Client.DisposeAsync();
        foreach (var worker in _workers)
        {
            await worker.DisposeAsync();
        }

        await Controller.DisposeAsync();
    }
}
