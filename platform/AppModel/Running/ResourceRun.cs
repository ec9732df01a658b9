using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Aspire.Hosting.Guarding;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Running;

/// <summary>What every run needs.</summary>
internal sealed record RunServices(
    LaunchPlanner Planner,
    ResourceNotificationService Notifications,
    ResourceLoggerService Loggers,
    IDistributedApplicationEventing Eventing,
    DistributedApplicationExecutionContext Execution,
    IServiceProvider Services,
    TimeProvider Time,
    RunTimes Times,
    ILogger<ResourceRun> Logger);

/// <summary>How long stopping a process may take.</summary>
internal sealed record RunTimes
{
    /// <summary>
    /// From SIGTERM to SIGKILL. A controller that is told to take its jobs along needs 5 s of it for their grace, and the
    /// time until a worker has reported that they are dead.
    /// </summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>What the guard of a process gets to clear away what the process, which has ended, has left behind.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(4);
}

/// <summary>One process of a resource: it is started, watched, stopped and started again here.</summary>
internal sealed partial class ResourceRun(IResource resource, string id, RunServices services, GuardProcess guard) : IAsyncDisposable
{
    private static readonly TimeSpan s_sweepLimit = TimeSpan.FromSeconds(9);

    private readonly SemaphoreSlim _turn = new(1);
    private readonly ILogger _logger = services.Loggers.GetLogger(id);
    private CancellationTokenSource _start = new();
    private RunningProcess? _process;
    private LaunchSpec? _spec;
    private Task _watch = Task.CompletedTask;
    private volatile bool _isStopping;

    public IResource Resource => resource;

    public string Id => id;

    /// <summary>Waits for what the resource needs, and starts it. What goes wrong is shown as its state.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (_process is not null)
            {
                return;
            }

            _isStopping = false;
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _start.Token);
            await TryStartAsync(either.Token);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Ends the process and everything that it has started, or gives up its start.</summary>
    public async Task StopAsync()
    {
        await _start.CancelAsync();
        await _turn.WaitAsync();
        try
        {
            _start.Dispose();
            _start = new CancellationTokenSource();
            if (_process is { } process)
            {
                await StopAsync(process);
                process.Dispose();
                _process = null;
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _start.Dispose();
        _turn.Dispose();
    }

    private async Task TryStartAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (resource.NotStartedReason() is { } reason)
            {
                Log.NotStarted(_logger, reason);
                await PublishAsync(snapshot => snapshot with
                {
                    State = new ResourceStateSnapshot(KnownResourceStates.NotStarted, KnownResourceStateStyles.Warn),
                    Properties = [.. snapshot.Properties.Where(property => property.Name != "reason"), new ResourcePropertySnapshot("reason", reason)],
                });
                return;
            }

            if (resource.Annotations.OfType<WaitAnnotation>().Any())
            {
                await PublishAsync(snapshot => snapshot with { State = KnownResourceStates.Waiting });
                await services.Notifications.WaitForDependenciesAsync(resource, cancellationToken);
            }

            await PublishAsync(snapshot => snapshot with { State = KnownResourceStates.Starting, HealthReports = resource.UnknownHealth() });
            if (id == resource.InstanceIds()[0])
            {
                await services.Eventing.PublishAsync(new BeforeResourceStartedEvent(resource, services.Services), cancellationToken);
            }

            await LaunchAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            await PublishAsync(snapshot => snapshot with { State = KnownResourceStates.NotStarted });
        }
        catch (Exception exception)
        {
            // Whatever went wrong belongs to this resource alone: it is shown there, and the others go on.
            Log.FailedToStart(_logger, exception is DistributedApplicationException ? exception.Message : exception.ToString());
            await PublishAsync(snapshot => snapshot with
            {
                State = new ResourceStateSnapshot(KnownResourceStates.FailedToStart, KnownResourceStateStyles.Error),
            });
        }
    }

    private async Task LaunchAsync(CancellationToken cancellationToken)
    {
        var spec = await services.Planner.PlanAsync(resource, id, guard, cancellationToken);
        if (spec.Container is { } container)
        {
            guard.AddContainer(container.Command, container.Name);
        }

        var process = RunningProcess.Start(spec, (line, isError) => services.Loggers.Append(id, line, isError));
        guard.AddRoot(process.Identity);
        (_process, _spec) = (process, spec);
        var urls = await ResourceUrls.OfAsync(resource, services.Execution, _logger, cancellationToken);
        await PublishAsync(snapshot => snapshot with
        {
            State = new ResourceStateSnapshot(KnownResourceStates.Running, KnownResourceStateStyles.Success),
            StartTimeStamp = services.Time.GetUtcNow().UtcDateTime,
            StopTimeStamp = null,
            ExitCode = null,
            IsReady = false,
            HealthReports = resource.UnknownHealth(),
            Urls = urls,
            EnvironmentVariables = [.. spec.Environment.Select(variable => new EnvironmentVariableSnapshot(variable.Key, variable.Value, IsFromSpec: spec.GivenVariables.Contains(variable.Key)))],
            Properties =
            [
                .. snapshot.Properties.Where(property => property.Name is not "executable.pid" and not "reason"),
                new ResourcePropertySnapshot("executable.pid", process.Identity.Pid),
            ],
        });
        _watch = WatchAsync(process);
    }

    private async Task WatchAsync(RunningProcess process)
    {
        var code = await process.Exit;
        if (!_isStopping)
        {
            // Said by the AppHost, not on the resource's console, which is the program's own.
            Log.Ended(services.Logger, code == 0 ? LogLevel.Information : LogLevel.Error, resource.Name, code);
        }

        await PublishAsync(snapshot => snapshot with
        {
            State = code == 0 ? KnownResourceStates.Finished : new ResourceStateSnapshot(KnownResourceStates.Exited, _isStopping ? null : KnownResourceStateStyles.Error),
            ExitCode = code,
            StopTimeStamp = services.Time.GetUtcNow().UtcDateTime,
            IsReady = false,
        });
        if (services.Notifications.TryGetCurrentState(id, out var last))
        {
            await services.Eventing.PublishAsync(new ResourceStoppedEvent(resource, services.Services, last));
        }
    }

    private async Task StopAsync(RunningProcess process)
    {
        _isStopping = true;
        var sweep = new WardSweep($"{WardSweep.Variable}={guard.MarkOf(id)}");
        sweep.AddRoot(process.Identity);
        if (!process.Exit.IsCompleted)
        {
            await PublishAsync(snapshot => snapshot with { State = KnownResourceStates.Stopping, IsReady = false });
            Look(sweep);
            process.Terminate();
            try
            {
                await process.Exit.WaitAsync(services.Times.Grace, services.Time);
            }
            catch (TimeoutException)
            {
                Log.Killing(_logger, services.Times.Grace.TotalSeconds);
                Look(sweep);
                process.Kill();
            }
        }

        if (_spec?.Container is { } container)
        {
            // Killing the command that ran it would leave the container.
            await CommandRun.RunAsync(container.Command, ["rm", "--force", "--volumes", container.Name], s_sweepLimit, workingDirectory: null, CancellationToken.None);
        }

        if (OperatingSystem.IsLinux() && !await sweep.ClearAsync(services.Times.Patience, s_sweepLimit))
        {
            Log.Unkillable(_logger, string.Join(", ", sweep.Find().Select(left => left.Pid)));
        }

        await _watch;
    }

    /// <summary>While the parent lives, its children are known by it, even those that have shed their environment.</summary>
    private static void Look(WardSweep sweep)
    {
        if (OperatingSystem.IsLinux())
        {
            sweep.Find();
        }
    }

    private Task PublishAsync(Func<CustomResourceSnapshot, CustomResourceSnapshot> change) => services.Notifications.PublishUpdateAsync(resource, id, change);

    private static partial class Log
    {
        [LoggerMessage(610, LogLevel.Warning, "Not started: {Reason}.")]
        public static partial void NotStarted(ILogger logger, string reason);

        [LoggerMessage(611, LogLevel.Error, "Failed to start: {Reason}")]
        public static partial void FailedToStart(ILogger logger, string reason);

        [LoggerMessage(EventId = 612, Message = "'{Resource}' ended by itself with exit code {Code}; its last lines are above.")]
        public static partial void Ended(ILogger logger, LogLevel level, string resource, int code);

        [LoggerMessage(613, LogLevel.Warning, "Did not end within {Seconds} s; killing it.")]
        public static partial void Killing(ILogger logger, double seconds);

        [LoggerMessage(614, LogLevel.Error, "Processes that cannot be killed are left: {Pids}.")]
        public static partial void Unkillable(ILogger logger, string pids);
    }
}
