using Fluster.Controller;

namespace Fluster.Local;

/// <summary>A controller inside this process whose workers are on machines of backends. It takes its machines along when it ends.</summary>
internal sealed class MachineCluster : IAsyncDisposable
{
    /// <summary>How long the backends may take at the start to say that they are there.</summary>
    private static readonly TimeSpan s_startPatience = TimeSpan.FromSeconds(30);

    private readonly ClusterDirectory _directory;
    private ControllerInProcess? _controller;

    private MachineCluster(ClusterDirectory directory) => _directory = directory;

    public string Address => _controller!.GrpcAddress;

    public string HttpAddress => _controller!.HttpAddress;

    public FlusterClientOptions ClientOptions => _controller!.ClientOptions;

    /// <summary>Starts it, and returns when all its backends have answered.</summary>
    /// <param name="file">A checked file.</param>
    /// <param name="emulator">Where Google's machines come from instead; null: from Google.</param>
    /// <param name="options">Where its data are, and in which namespace its own client is.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="LocalClusterException">It cannot run here, or a backend does not answer; the message says why.</exception>
    public static async Task<MachineCluster> StartAsync(ClusterFile file, Uri? emulator, LocalClusterOptions options, CancellationToken cancellationToken)
    {
        var cluster = new MachineCluster(ClusterDirectory.Open(options.DataDirectory));
        try
        {
            cluster._controller = await ControllerInProcess.StartAsync(cluster._directory, options, MachineSettings.Of(file, emulator), cancellationToken).ConfigureAwait(false);
            await cluster.AskBackendsAsync(cancellationToken).ConfigureAwait(false);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Kills the jobs and removes the machines.</summary>
    /// <param name="patience">How long the machines may take.</param>
    /// <returns>The machines that are there all the same.</returns>
    public Task<IReadOnlyList<LeftVm>> ReleaseMachinesAsync(TimeSpan patience) => _controller!.Get<VmFarewell>().ReleaseAllAsync(patience, CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        try
        {
            await (_controller?.DisposeAsync().AsTask() ?? Task.CompletedTask).ConfigureAwait(false);
        }
        finally
        {
            _directory.Dispose();
        }
    }

    /// <summary>An engine that does not run, or an account that may not, is told now and not by a job that waits.</summary>
    private async Task AskBackendsAsync(CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(s_startPatience, TimeProvider.System);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        foreach (var source in _controller!.Get<VmSources>().All)
        {
            try
            {
                await source.Backend.ListAsync(either.Token).ConfigureAwait(false);
            }
            catch (VmException exception)
            {
                throw new LocalClusterException($"The backend '{source.Name}' has no machines to give: {exception.Message}", exception);
            }
            catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
            {
                throw new LocalClusterException($"The backend '{source.Name}' did not answer within {s_startPatience.TotalSeconds:0} s.", exception);
            }
        }
    }
}
