using System.Runtime.Versioning;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.ServiceDiscovery;

namespace Fluster.Worker;

/// <summary>The worker cannot do its work on this machine, or with these settings; the message says why.</summary>
internal sealed class WorkerStartException(string message, Exception? innerException = null) : Exception(message, innerException);

/// <summary>One worker in a host: starts its parts in order, runs them, and ends them so that nothing is left.</summary>
internal sealed partial class WorkerService(
    IOptions<WorkerOptions> options, ServiceEndpointResolver resolver, TimeProvider time, IHostApplicationLifetime lifetime, ILoggerFactory loggers) : BackgroundService
{
    /// <summary>For what an earlier run left, before this one says Hello. Longer than anything but an unkillable process needs.</summary>
    private static readonly TimeSpan s_sweepPatience = TimeSpan.FromSeconds(60);

    /// <summary>For the attempts to end (5 s and a kill) and the controller to be told.</summary>
    /// <summary>The worker's exit code when nobody will come back for it: its machine can be switched off.</summary>
    public const int OrphanedExitCode = 3;

    private static readonly TimeSpan s_shutdownPatience = TimeSpan.FromSeconds(12);

    private readonly ILogger _logger = loggers.CreateLogger<WorkerService>();
    private readonly CancellationTokenSource _stopped = new();
    private WorkerParts? _parts;

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        if (!OperatingSystem.IsLinux())
        {
            throw new WorkerStartException("A worker runs jobs on Linux only. On other systems use a LocalClient, or a worker in a container.");
        }

        _parts = await Task.Run(Open, cancellationToken);
        _parts.Loop.Drained = lifetime.StopApplication;
        _parts.Orphaned = () =>
        {
            Log.Orphaned(_logger, options.Value.OrphanTimeout.GetValueOrDefault());
            Environment.ExitCode = OrphanedExitCode;
            lifetime.StopApplication();
        };
        await base.StartAsync(cancellationToken);
    }

    /// <summary>Takes the place of a job's attempts away after a while, as the cloud does with machines: for whoever wants to see what happens then.</summary>
    public void Preempt(JobId job, TimeSpan notice)
    {
        if (OperatingSystem.IsLinux())
        {
            _parts?.Loop.Post(new WorkerEvent.Preempted(notice, job.ToString()));
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_parts is { } parts && OperatingSystem.IsLinux())
        {
            Log.Stopping(_logger, parts.Loop.LiveAttempts);
            await parts.Loop.ShutDownAsync(s_shutdownPatience);
            await parts.SendSpansAsync();
        }

        await _stopped.CancelAsync();
        await base.StopAsync(cancellationToken);
        if (_parts is { } ended && OperatingSystem.IsLinux())
        {
            await ended.DisposeAsync();
            _parts = null;
        }
    }

    public override void Dispose()
    {
        _stopped.Dispose();
        base.Dispose();
    }

    /// <summary>Runs until <see cref="StopAsync"/> has ended the attempts, and not only until the host wants to stop.</summary>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (_parts is not { } parts || !OperatingSystem.IsLinux())
        {
            return;
        }

        using var failed = CancellationTokenSource.CreateLinkedTokenSource(_stopped.Token);
        try
        {
            await await Task.WhenAny(parts.RunAsync(failed.Token));
        }
        catch (OperationCanceledException) when (_stopped.IsCancellationRequested)
        {
            // Stopped.
        }
        catch (Exception exception)
        {
            Log.Failed(_logger, exception);
            lifetime.StopApplication();
            throw;
        }
    }

    [SupportedOSPlatform("linux")]
    private WorkerParts Open()
    {
        var settings = options.Value;
        var directory = Path.GetFullPath(settings.DataDirectory.Length > 0
            ? settings.DataDirectory
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.Create), "fluster-worker"));
        var holder = DirectoryLock.Take(directory);
        try
        {
            if (Ward.Load(directory) is { } earlier && !earlier.SweepUntilEmpty(patience: s_sweepPatience))
            {
                throw new WorkerStartException($"Processes of an earlier run (mark {earlier.Id}) do not end although they were killed. The worker does not start beside them.");
            }

            return WorkerParts.Open(settings, directory, holder, resolver, time, loggers);
        }
        catch
        {
            holder.Dispose();
            throw;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(204, LogLevel.Information, "The worker stops and ends its {Count} attempts.")]
        public static partial void Stopping(ILogger logger, int count);

        [LoggerMessage(207, LogLevel.Warning, "No controller for {Timeout}: the worker ends its attempts and itself.")]
        public static partial void Orphaned(ILogger logger, TimeSpan timeout);

        [LoggerMessage(205, LogLevel.Critical, "The worker failed.")]
        public static partial void Failed(ILogger logger, Exception exception);
    }
}
