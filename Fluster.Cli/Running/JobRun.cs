using Fluster.Cluster;

namespace Fluster.Cli;

/// <summary>
/// Runs one job as if it were a program here: its output, its exit code, Ctrl+C. When this process dies or loses the controller, the job
/// goes on.
/// </summary>
internal sealed class JobRun(FlusterClient client)
{
    /// <summary>How long a job may wait for a place before it is said what it waits for.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    public async Task<int> RunAsync(JobRequest request, CancellationToken cancellationToken)
    {
        using var signals = new StopSignals();

        // Not cancelled by a signal: whether the controller has the job would stay unknown. Afterwards it is stopped.
        var job = await client.SubmitAsync(request, cancellationToken);
        Output.Note(job.Id.ToString());

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var stopping = StopOnSignalAsync(job.Id, signals, ended.Token);
        try
        {
            var pending = new PendingNotice(job.Id, s_patience);
            var waiting = client.WatchAsync(job.Id, pending.Observe, cancellationToken);
            var tasks = request.Replicas * (request.Resources.Device is Device.Tpu tpu ? tpu.Topology.Vms : 1);
            await PrintLogsAsync(job.Id, tasks, cancellationToken);
            var status = await waiting;
            pending.Dispose();
            if (status.Failure is { Kind: not FailureKind.ExitCode } && !signals.First.IsCompleted)
            {
                Output.Problem(JobText.Ended(status));
            }

            return signals.First.IsCompleted ? await signals.First : ExitCodes.Of(status);
        }
        catch (BrokenPipeException)
        {
            // A program here would be ended by SIGPIPE; so is the job.
            await client.TerminateAsync(job.Id, cancellationToken);
            return ExitCodes.BrokenPipe;
        }
        finally
        {
            await ended.CancelAsync();
            await stopping;
        }
    }

    private async Task PrintLogsAsync(JobId job, int replicas, CancellationToken cancellationToken)
    {
        var printer = new LogPrinter(replicas);
        try
        {
            await foreach (var chunk in client.StreamLogChunks(job, new LogOptions { Follow = true }, cancellationToken))
            {
                printer.Print(chunk);
            }
        }
        catch (ClusterException exception)
        {
            // A log that cannot be read fails no job.
            Output.Problem($"The log of {job} cannot be read on: {exception.Message}");
        }
    }

    private async Task StopOnSignalAsync(JobId job, StopSignals signals, CancellationToken ended)
    {
        try
        {
            await signals.First.WaitAsync(ended);
            Output.Note($"Stopping {job}; Ctrl+C again leaves it to stop by itself.");
            await client.TerminateAsync(job, ended);
        }
        catch (OperationCanceledException)
        {
            // Ended by itself.
        }
        catch (ClusterException exception)
        {
            Output.Problem($"{job} could not be asked to stop: {exception.Message}");
        }
    }
}
