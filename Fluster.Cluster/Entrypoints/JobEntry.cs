using System.ComponentModel;
using System.Diagnostics;
using System.Reflection;

namespace Fluster.Cluster;

/// <summary>
/// Where a worker's job host enters a .NET job: the one contract between any version of the host and any version of this library that
/// a job brings with it. Not for users.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class JobEntry
{
    private const int Succeeded = 0;
    private const int Threw = 1;
    private const int Fault = 125;

    /// <summary>
    /// Runs a job in this process and writes how it ended into a directory: <c>result.json</c>, <c>exception.json</c> or
    /// <c>fault.json</c>. This name, these parameters and these files never change.
    /// </summary>
    /// <param name="app">The path of the app's assembly in the bundle.</param>
    /// <param name="invocationFile">The call to make.</param>
    /// <param name="outcomeDirectory">Where the outcome is written.</param>
    /// <returns>The exit code: 0, 1 after an exception, 125 when the bundle cannot be run.</returns>
    public static int Run(string app, string invocationFile, string outcomeDirectory)
    {
        var outcome = new JobOutcomeFiles(outcomeDirectory);
        Invocation invocation;
        try
        {
            BecomeTheApp(app);
            SpanRecorder.Listen();
            WaitForDebugger();
            invocation = Invocation.Read(File.ReadAllBytes(invocationFile));
        }
        catch (Exception exception) when (exception is BundleException or IOException)
        {
            outcome.WriteFault(exception.Message);
            return Fault;
        }

        return Run(invocation, outcome);
    }

    private static int Run(Invocation invocation, JobOutcomeFiles outcome)
    {
        AppDomain.CurrentDomain.UnhandledException += (_, unhandled) =>
        {
            // On another thread; without this the runtime aborts, and all that is left is a signal.
            if (unhandled.ExceptionObject is Exception exception)
            {
                Environment.Exit(Fail(exception, outcome));
            }
        };
        using var activity = ClientTrace.StartJob(invocation.Display);
        SpanRecorder.Started(activity);
        var returned = false;
        try
        {
            var result = invocation.Run(static () => FlusterContext.CurrentOrNull?.Stopping ?? CancellationToken.None);
            returned = true;
            if (invocation.ResultType is { } type)
            {
                outcome.WriteResult(InvocationResult.Write(result, type, invocation.Display));
            }

            return Succeeded;
        }
#pragma warning disable CA1031 // Whatever user code throws is the job's outcome.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            activity?.SetStatus(ActivityStatusCode.Error, exception.Message);
            return Fail(exception, outcome, ofResult: returned);
        }
    }

    private static int Fail(Exception exception, JobOutcomeFiles outcome, bool ofResult = false)
    {
        Console.Out.Flush();
        Console.Error.WriteLine($"Unhandled exception. {exception}");
        outcome.WriteException(exception, ofResult);
        return Threw;
    }

    /// <summary>What asks where the program is gets the bundle, not the directory of the host.</summary>
    private static void BecomeTheApp(string app)
    {
        AppContext.SetData("APP_CONTEXT_BASE_DIRECTORY", Path.GetDirectoryName(app) + Path.DirectorySeparatorChar);
        try
        {
            Assembly.SetEntryAssembly(Assembly.Load(new AssemblyName { Name = Path.GetFileNameWithoutExtension(app) }));
        }
        catch (Exception exception) when (exception is IOException or BadImageFormatException)
        {
            throw new BundleException($"{Path.GetFileName(app)} cannot be loaded: {exception.Message}", exception);
        }
    }

    private static void WaitForDebugger()
    {
        if (FlusterEnvironment.Get(FlusterEnvironment.WaitForDebugger) != "1")
        {
            return;
        }

        Console.Error.WriteLine($"Waiting for a debugger to attach to process {Environment.ProcessId} ({FlusterEnvironment.WaitForDebugger}=1).");
        SpinWait.SpinUntil(() => Debugger.IsAttached);
    }
}
