using System.Diagnostics;

namespace Fluster.Cluster;

/// <summary>Runs the attempts of a <see cref="LocalClient"/>: a .NET method on a thread of its own, a command as a child process.</summary>
internal sealed class LocalRunner(IClusterController client, LocalJobs jobs, LocalClientOptions options, TimeProvider time)
{
    // Not in the context of whoever submits or frees a place: in a cluster nothing of that would be there.
    public void Start(LocalAttempt attempt) => _ = Detached.Run(() => RunAsync(attempt));

    private async Task RunAsync(LocalAttempt attempt)
    {
        var end = await EndOfAsync(attempt).ConfigureAwait(false);
        attempt.Output.End();
        jobs.End(attempt, end);
    }

    private async Task<LocalEnd> EndOfAsync(LocalAttempt attempt)
    {
        try
        {
            using var ports = LocalPorts.Take(attempt.Job.Request.Ports, options.FirstPort, options.LastPort);
            return attempt.Job.Invocation is { } invocation
                ? await RunMethodAsync(attempt, invocation, ports).ConfigureAwait(false)
                : await new LocalCommand(attempt, jobs, ports, options.Grace, time).RunAsync().ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return new LocalEnd(LocalFailures.NotStarted($"could not be started: {exception.Message}"));
        }
    }

    private async Task<LocalEnd> RunMethodAsync(LocalAttempt attempt, byte[] invocation, LocalPorts ports)
    {
        var context = new FlusterContext
        {
            Namespace = attempt.Job.Namespace,
            JobId = attempt.Job.Id,
            TaskIndex = attempt.Task.Index,
            TaskCount = attempt.Job.Tasks.Count,
            Fence = attempt.Fence,
            WorkerId = LocalStatus.Worker,
            Ports = ports,
            Controller = client,
            Stopping = attempt.Stop.Token,
        }.WithPreemption(() => attempt.Preemption);
        if (!jobs.Began(attempt, ports.ToStatus()))
        {
            return new LocalEnd(null);
        }

        // A thread of its own: a job may block for as long as it likes. In the background: one that does not listen does not keep the process.
        var ended = new TaskCompletionSource<LocalEnd>(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() => ended.SetResult(Run(invocation, context, attempt))) { IsBackground = true, Name = $"fluster {attempt.Job.Id} {attempt.Task.Index}" };
        thread.UnsafeStart();
        await Task.WhenAny(ended.Task, GraceOf(attempt)).ConfigureAwait(false);
        return ended.Task.IsCompleted ? await ended.Task.ConfigureAwait(false) : new LocalEnd(null);
    }

    /// <summary>Completes when the attempt was told to end and has had its time.</summary>
    private async Task GraceOf(LocalAttempt attempt)
    {
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = attempt.Stop.Token.UnsafeRegister(static source => ((TaskCompletionSource)source!).TrySetResult(), stopped).ConfigureAwait(false);
        await Task.WhenAny(stopped.Task, attempt.Job.Ended.Task).ConfigureAwait(false);
        await Task.Delay(attempt.Notice ?? options.Grace, time).ConfigureAwait(false);
    }

    private static LocalEnd Run(byte[] invocation, FlusterContext context, LocalAttempt attempt)
    {
        LocalConsole.Enter(attempt.Output);
        using var scope = context.Enter();
        var returned = false;
        Activity? activity = null;
        try
        {
            var call = Invocation.Read(invocation);
            activity = StartActivity(call.Display, attempt.Job.Trace);
            var result = call.Run(() => context.Stopping);
            returned = true;
            return new LocalEnd(null, call.ResultType is { } type ? InvocationResult.Write(result, type, call.Display) : null);
        }
#pragma warning disable CA1031 // Whatever user code throws is the job's outcome.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            activity?.SetStatus(ActivityStatusCode.Error, exception.Message);
            Console.Error.WriteLine($"Unhandled exception. {exception}");
            return new LocalEnd(LocalFailures.Thrown(exception, ofResult: returned));
        }
        finally
        {
            activity?.Dispose();
        }
    }

    private static Activity? StartActivity(string name, V1.TraceContext? trace) =>
        trace is null ? null : ClientTrace.StartJob(name, trace.Traceparent, trace.Tracestate.Length > 0 ? trace.Tracestate : null, trace.Baggage);
}
