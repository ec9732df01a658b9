using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace Fluster.Cluster;

/// <summary>One attempt at a command: a child process of this one with everything that it starts, in a directory of its own.</summary>
internal sealed class LocalCommand(LocalAttempt attempt, LocalJobs jobs, LocalPorts ports, TimeSpan grace, TimeProvider time)
{
    private const string DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// <summary>Between two looks at processes that are to end.</summary>
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(10);

    /// <summary>For what was written before the last process ended to be read.</summary>
    private static readonly TimeSpan s_longestRead = TimeSpan.FromSeconds(2);

    private readonly string _mark = Guid.NewGuid().ToString("N");
    private string _notice = ""; // where the program finds it when it is preempted

    public async Task<LocalEnd> RunAsync()
    {
        var request = attempt.Job.Request;
        var directory = LocalFiles.Make(attempt.Job.Files);
        var notices = LocalFiles.Make(null);
        _notice = Path.Combine(notices, "preemption");
        try
        {
            var variables = Variables(request);
            variables[FlusterEnvironment.PreemptionFile] = _notice;
            foreach (var command in request.Environment.SetupCommands)
            {
                var (failure, code) = await RunAsync(["/bin/sh", "-c", command], variables, directory, isSetup: true).ConfigureAwait(false);
                if (attempt.IsStopping)
                {
                    return new LocalEnd(null);
                }

                if (failure is not null || code != 0)
                {
                    return new LocalEnd(LocalFailures.NotStarted($"The set-up command '{command}' failed: {failure?.Message ?? $"exit code {code}"}") with { ExitCode = code });
                }
            }

            var (problem, exitCode) = await RunAsync(((JobEntrypoint.CommandLine)request.Entrypoint).Argv, variables, directory, isSetup: false).ConfigureAwait(false);
            return new LocalEnd(problem ?? (exitCode == 0 ? null : new JobFailure(FailureKind.ExitCode, $"Exit code: {exitCode}") { ExitCode = exitCode }));
        }
        finally
        {
            await LocalProcesses.KillAsync(_mark, s_look, time).ConfigureAwait(false);
            LocalFiles.Remove(directory);
            LocalFiles.Remove(notices);
        }
    }

    private async Task<(JobFailure? Failure, int? ExitCode)> RunAsync(IReadOnlyList<string> argv, Dictionary<string, string> variables, string directory, bool isSetup)
    {
        if (Find(argv[0], variables.GetValueOrDefault("PATH", DefaultPath), directory) is not { } program)
        {
            return (LocalFailures.NotStarted(argv[0].Contains('/', StringComparison.Ordinal)
                ? $"The program '{argv[0]}' does not exist, or is not executable."
                : $"The program '{argv[0]}' was not found. PATH is {variables.GetValueOrDefault("PATH", DefaultPath)}"), null);
        }

        var start = new ProcessStartInfo(program, argv.Skip(1))
        {
            WorkingDirectory = directory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        foreach (var (name, value) in variables)
        {
            start.Environment[name] = value;
        }

        ports.ReleaseAll();
        if (!isSetup && !jobs.Began(attempt, ports.ToStatus()))
        {
            return (null, null);
        }

        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (Win32Exception exception)
        {
            return (LocalFailures.NotStarted($"The program '{argv[0]}' cannot be run: {exception.Message}"), null);
        }

        using (process)
        {
            process.StandardInput.Close();
            var reading = Task.WhenAll(
                ReadAsync(process.StandardOutput, isSetup ? JobLogStream.Build : JobLogStream.Stdout),
                ReadAsync(process.StandardError, isSetup ? JobLogStream.Build : JobLogStream.Stderr));
            await EndAsync(process, endTree: !isSetup).ConfigureAwait(false);
            await Task.WhenAny(reading, Task.Delay(s_longestRead, time)).ConfigureAwait(false);
            return (null, process.ExitCode);
        }
    }

    /// <summary>Returns when the program has ended, by itself or because it was told to, and what it left has been killed.</summary>
    private async Task EndAsync(Process process, bool endTree)
    {
        var exited = process.WaitForExitAsync(CancellationToken.None);
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = attempt.Stop.Token.UnsafeRegister(static source => ((TaskCompletionSource)source!).TrySetResult(), stopped).ConfigureAwait(false);
        await Task.WhenAny(exited, stopped.Task).ConfigureAwait(false);
        if (stopped.Task.IsCompleted)
        {
            attempt.Preemption?.Write(_notice);
            LocalProcesses.Terminate(_mark, process);
            var over = Task.Delay(attempt.Notice ?? grace, time);
            while (!over.IsCompleted && (!exited.IsCompleted || LocalProcesses.Any(_mark)))
            {
                await Task.WhenAny(over, Task.Delay(s_look, time)).ConfigureAwait(false);
            }

            LocalProcesses.Kill(process);
        }

        await exited.ConfigureAwait(false);
        if (endTree || stopped.Task.IsCompleted)
        {
            await LocalProcesses.KillAsync(_mark, s_look, time).ConfigureAwait(false); // or its pipes would stay open
        }
    }

    private async Task ReadAsync(StreamReader reader, JobLogStream stream)
    {
        var buffer = new char[8 * 1024];
        while (await reader.ReadAsync(buffer).ConfigureAwait(false) is var count and > 0)
        {
            attempt.Output.Write(stream, buffer.AsSpan(0, count));
        }
    }

    /// <summary>This process's own, without what makes it part of some job, then the job's, then what says which job it is.</summary>
    private Dictionary<string, string> Variables(JobRequest request)
    {
        var variables = FlusterEnvironment.WithoutJob();
        foreach (var (name, value) in request.Environment.Variables)
        {
            variables[name] = value;
        }

        variables[FlusterEnvironment.JobId] = attempt.Job.Id.ToString();
        variables[FlusterEnvironment.Namespace] = attempt.Job.Namespace.ToString();
        variables[FlusterEnvironment.TaskIndex] = attempt.Task.Index.ToString(CultureInfo.InvariantCulture);
        variables[FlusterEnvironment.TaskCount] = attempt.Job.Tasks.Count.ToString(CultureInfo.InvariantCulture);
        variables[FlusterEnvironment.Fence] = attempt.Fence.ToString();
        variables[FlusterEnvironment.WorkerId] = LocalStatus.Worker.ToString();
        variables[FlusterEnvironment.BindHost] = "127.0.0.1";
        variables[FlusterEnvironment.AdvertiseHost] = "127.0.0.1";
        variables[FlusterEnvironment.AttemptMarker] = _mark;
        foreach (var (name, port) in ports.ToStatus())
        {
            variables[FlusterEnvironment.PortVariable(name)] = port.ToString(CultureInfo.InvariantCulture);
        }

        if (attempt.Job.Trace is { } trace)
        {
            variables[FlusterEnvironment.TraceParent] = trace.Traceparent;
            Set(FlusterEnvironment.TraceState, trace.Tracestate);
            Set(FlusterEnvironment.Baggage, trace.Baggage);
        }

        return variables;

        void Set(string name, string value)
        {
            if (value.Length > 0)
            {
                variables[name] = value;
            }
        }
    }

    /// <summary>The file that a command's first word means: a path from the working directory, or a name to look for.</summary>
    private static string? Find(string name, string path, string directory)
    {
        if (OperatingSystem.IsWindows())
        {
            return name; // by its own rules
        }

        var candidates = name.Contains('/', StringComparison.Ordinal)
            ? [Path.GetFullPath(name, directory)]
            : path.Split(':').Select(place => Path.GetFullPath(Path.Combine(place, name), directory));
        return candidates.FirstOrDefault(file => File.Exists(file) && IsExecutable(file));
    }

    private static bool IsExecutable(string file) =>
        OperatingSystem.IsWindows() || (File.GetUnixFileMode(file) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != UnixFileMode.None;
}
