using System.Runtime.Versioning;
using Microsoft.Extensions.Logging;

namespace Fluster.Worker;

/// <summary>The life of one attempt, whatever it runs in: it is prepared and run, all of it ends, its files go, and its end is reported once.</summary>
[SupportedOSPlatform("linux")]
#pragma warning disable CA1001 // The source has neither timer nor wait handle, and requests to end may come at any time.
internal abstract partial class AttemptRun : IRunningAttempt
#pragma warning restore CA1001
{
    private readonly ILogger _logger;
    private readonly TimeProvider _time;

    protected AttemptRun(Fence fence, V1.AttemptSpec spec, AttemptLog log, AttemptDirectory directory, AttemptTrace trace, Action<WorkerEvent> report, TimeProvider time, ILogger logger)
    {
        (Fence, Spec, Output, Files, Trace, Report, _time, _logger) = (fence, spec, log, directory, trace, report, time, logger);
    }

    public Fence Fence { get; }

    protected V1.AttemptSpec Spec { get; }

    protected AttemptLog Output { get; }

    protected AttemptDirectory Files { get; }

    /// <summary>Where its time goes.</summary>
    protected AttemptTrace Trace { get; }

    protected Action<WorkerEvent> Report { get; }

    /// <summary>Cancelled by the first request to end.</summary>
    protected CancellationTokenSource Stopping { get; } = new();

    /// <summary>Ends with the first request to end at once.</summary>
    protected TaskCompletionSource Killed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>What it uses of the caches, until all of it has ended.</summary>
    protected CacheHold Cached { get; } = new();

    protected PortLease Ports { get; set; } = PortLease.None;

    public void Notify(PreemptionNotice notice)
    {
        try
        {
            notice.Write(Files.Preemption);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It has ended, or was not made yet; the request to end comes all the same.
        }
    }

    public abstract void Terminate();

    public void Kill()
    {
        Stopping.Cancel();
        Killed.TrySetResult();
    }

    public async Task RunAsync()
    {
        var end = new AttemptEnd { At = default };
        try
        {
            end = await PrepareAndRunAsync();
        }
        catch (OperationCanceledException) when (Stopping.IsCancellationRequested)
        {
            // Whoever asked knows why.
        }
        catch (Exception exception)
        {
            end = end with { Failure = FailureOf(exception) };
            if (end.Failure.Kind == FailureKind.WorkerFault)
            {
                Log.NotRun(_logger, exception, Fence);
            }
        }

        await EndWholeAsync();
        try
        {
            end = await ClearUpAsync(end);
        }
        catch (Exception exception)
        {
            Log.NotRun(_logger, exception, Fence); // nobody is to wait for what only clears up
            end = end with { At = _time.GetUtcNow(), Failure = end.Failure ?? FailureOf(exception) };
        }

        Trace.End(end, Stopping.IsCancellationRequested);
        Report(new WorkerEvent.Ended(Fence, end));
    }

    /// <summary>The entrypoint is about to be launched. How long a .NET one takes to come to user code, it says itself.</summary>
    protected AttemptTrace.Step? BeginLaunch(IDictionary<string, string> variables)
    {
        variables[FlusterEnvironment.LaunchedAt] = ((_time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond).ToString(System.Globalization.CultureInfo.InvariantCulture);
        return Spec.Entrypoint.KindCase == V1.Entrypoint.KindOneofCase.Dotnet ? null : Trace.Begin("process start");
    }

    /// <summary>Returns how the program ended.</summary>
    protected abstract Task<AttemptEnd> PrepareAndRunAsync();

    /// <summary>Returns when nothing that the attempt started is left, however far it came.</summary>
    protected abstract Task EndWholeAsync();

    /// <summary>Gives back what bounded it. All of it has ended.</summary>
    protected virtual void Release()
    {
    }

    protected virtual JobFailure FailureOf(Exception exception) => AttemptFailedException.FailureOf(exception);

    /// <summary>With what the entrypoint left, and what the log has.</summary>
    protected virtual AttemptEnd Completed(AttemptEnd end) =>
        (Spec.Entrypoint.KindCase == V1.Entrypoint.KindOneofCase.Dotnet && end.Failure is null ? JobHostOutcome.ReadInto(end, Files.Outcome) : end) with
        {
            At = _time.GetUtcNow(),
            Logs = Output.Totals,
            LastLines = Output.LastLines,
        };

    private async Task<AttemptEnd> ClearUpAsync(AttemptEnd end)
    {
        Release();
        Ports.Dispose();
        Cached.Dispose();
        await Output.EndAsync();
        end = Completed(end);
        Trace.End(end, Stopping.IsCancellationRequested);
        try
        {
            Files.Remove();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Log.DirectoryLeft(_logger, exception, Fence);
        }

        return end;
    }

    private static partial class Log
    {
        [LoggerMessage(240, LogLevel.Warning, "Attempt {Fence} could not be run.")]
        public static partial void NotRun(ILogger logger, Exception exception, Fence fence);

        [LoggerMessage(242, LogLevel.Warning, "The files of attempt {Fence} could not be removed.")]
        public static partial void DirectoryLeft(ILogger logger, Exception exception, Fence fence);
    }
}
