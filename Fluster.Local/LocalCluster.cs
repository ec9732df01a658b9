namespace Fluster.Local;

/// <summary>
/// A controller and a worker inside this process, on loopback ports: the same code that runs on many machines, with processes of their own for jobs. For tests and
/// laptops. Whatever way the process ends, no process of a job is left. Linux only, as workers are.
/// Source: seed 003, stage 6.
/// </summary>
public sealed class LocalCluster : IAsyncDisposable
{
    private readonly ClusterDirectory _directory;
    private ControllerInProcess? _controller;
    private WorkerInProcess? _worker;
    private FlusterClient? _client;
    private int _disposed;

    private LocalCluster(ClusterDirectory directory) => _directory = directory;

    /// <summary>A client of the cluster, as admin. Ends with it.</summary>
    public IClusterController Client => _client!; // made before anybody has the cluster, as are the others

    /// <summary>The controller's gRPC address.</summary>
    public string Address => _controller!.GrpcAddress;

    /// <summary>The address of the controller's pages, and of its calls in JSON.</summary>
    public string HttpAddress => _controller!.HttpAddress;

    /// <summary>How another client reaches the cluster, as admin: with address, token and key.</summary>
    public FlusterClientOptions ClientOptions => _controller!.ClientOptions;

    /// <summary>Where its data is.</summary>
    internal string DataDirectory => _directory.FullPath;

    /// <summary>Starts a cluster and returns when its worker takes jobs.</summary>
    /// <exception cref="LocalClusterException">It cannot run here, or its directory cannot be used; the message says why.</exception>
    public static async Task<LocalCluster> StartAsync(LocalClusterOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new LocalClusterOptions();
        if (!OperatingSystem.IsLinux())
        {
            throw new LocalClusterException("A LocalCluster has a worker, and workers run on Linux. On this system use a LocalClient, which has the same interface.");
        }

        // Not in the context of whoever starts it, and not on their synchronization context: it serves many.
        var cluster = new LocalCluster(ClusterDirectory.Open(options.DataDirectory));
        await Detached.Run(() => cluster.OpenAsync(options, cancellationToken)).ConfigureAwait(false);
        return cluster;
    }

    /// <summary>
    /// A client of the cluster that there is: the one that the environment names, as in every job, else the current context of <c>~/.fluster/context.json</c>; else of
    /// a cluster that is started now and ends when the client is disposed.
    /// </summary>
    /// <param name="options">Of the cluster that is started when there is none.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <remarks>A context that a program of this machine left behind when it ended names no cluster. Source: seed 003, stage 6 (<c>current_cluster</c>).</remarks>
    /// <exception cref="ClusterException">There is one, and it cannot be reached or refuses the token.</exception>
    /// <exception cref="LocalClusterException">There is none, and none can be started here.</exception>
    public static async Task<FlusterClient> ConnectOrStartAsync(LocalClusterOptions? options = null, CancellationToken cancellationToken = default)
    {
        if (ClientEnvironment.FindRunning() is { } found)
        {
            return await FlusterClient.ConnectAsync(found, cancellationToken).ConfigureAwait(false);
        }

        var cluster = await StartAsync(options, cancellationToken).ConfigureAwait(false);
        cluster._client!.Disposed = cluster.StopAsync;
        return cluster._client;
    }

    /// <summary>
    /// Takes a job's place away, as a cloud does with the machine that it runs on, so that you see what it does then: what runs of it gets SIGTERM and a
    /// <see cref="FlusterContext.Preemption"/>, is killed when the time is over, and runs again, which counts as a preemption.
    /// </summary>
    /// <param name="job">Which one.</param>
    /// <param name="notice">How long until it is killed. Default: 30 s, what spot machines of Compute Engine get.</param>
    /// <param name="cancellationToken">Gives up before anything was done.</param>
    /// <exception cref="ClusterException">There is no such job.</exception>
    public async Task PreemptAsync(JobId job, TimeSpan? notice = null, CancellationToken cancellationToken = default)
    {
        await Client.GetStatusAsync(job, cancellationToken).ConfigureAwait(false);
        _worker!.Preempt(job, notice ?? TimeSpan.FromSeconds(30));
    }

    /// <summary>Kills the jobs, ends the cluster and deletes its temporary directory.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_client is { } client)
        {
            await client.DisposeAsync().ConfigureAwait(false);
        }

        await StopAsync().ConfigureAwait(false);
    }

    private async Task OpenAsync(LocalClusterOptions options, CancellationToken cancellationToken)
    {
        try
        {
            _controller = await ControllerInProcess.StartAsync(_directory, options, cancellationToken).ConfigureAwait(false);
            _worker = await WorkerInProcess.StartAsync(_directory, options, _controller.GrpcAddress, cancellationToken).ConfigureAwait(false);
            _client = new FlusterClient(_controller.ClientOptions);
            await WorkerInProcess.TakesJobsAsync(_client, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private async ValueTask StopAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        // The controller first, while the worker is there to kill what it is told to.
        try
        {
            await (_controller?.DisposeAsync().AsTask() ?? Task.CompletedTask).ConfigureAwait(false);
        }
        finally
        {
            await (_worker?.DisposeAsync().AsTask() ?? Task.CompletedTask).ConfigureAwait(false);
            _directory.Dispose();
        }
    }
}

/// <summary>A cluster cannot run inside this process; the message says why.</summary>
public sealed class LocalClusterException(string message, Exception? innerException = null) : Exception(message, innerException);
