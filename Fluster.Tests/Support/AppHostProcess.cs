using System.Diagnostics;
using System.Globalization;
using Aspire.Hosting.Running;

namespace Fluster.Tests;

/// <summary>An AppHost as a process of its own, with the context file and the data directory of a test.</summary>
internal sealed class AppHostProcess : IAsyncDisposable
{
    private const string Started = "Distributed application started. Press Ctrl+C to shut down.";

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(120);

    private readonly Process _process;
    private readonly TemporaryDirectory _home = new();
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<string> _lines = [];
    private readonly Task _reading;

    private AppHostProcess(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.Environment.TryAdd("ASPIRE_HOME", _home.Path); // what its dashboard keeps is not the user's
        _process = Process.Start(start)!;
        _reading = Task.WhenAll(ReadAsync(_process.StandardOutput), ReadAsync(_process.StandardError));
        _ = _reading.ContinueWith(
            _ => _started.TrySetException(new InvalidOperationException($"The AppHost ended before it had started:\n{Output}")), TaskScheduler.Default);
    }

    public int Pid => _process.Id;

    /// <summary>What it has written so far.</summary>
    public string Output => string.Join('\n', Lines());

    /// <summary>Starts the AppHost of Programs/ProbeAppHost, with a script as one of its resources.</summary>
    public static Task<AppHostProcess> StartProbeAsync(string script, bool byDotnetRun = false, string? path = null)
    {
        var start = Start(Path.Combine("Fluster.Tests", "Programs", "ProbeAppHost"), byDotnetRun, [script]);
        start.Environment["PATH"] = path ?? start.Environment["PATH"];
        start.Environment[EndpointAllocator.RandomizePorts.Replace(":", "__", StringComparison.Ordinal)] = "true"; // its service asks for the port that other tests have
        return StartedAsync(start);
    }

    /// <summary>Starts Fluster.AppHost.</summary>
    public static Task<AppHostProcess> StartFlusterAsync(string dataDirectory, string contextFile, bool fresh = false, string? path = null)
    {
        var start = Start("Fluster.AppHost", byDotnetRun: false, fresh ? [$"--data={dataDirectory}", "--fresh"] : [$"--data={dataDirectory}"]);
        start.Environment["PATH"] = path ?? start.Environment["PATH"];
        start.Environment[Cluster.FlusterEnvironment.ContextFile] = contextFile;
        start.Environment[EndpointAllocator.RandomizePorts.Replace(":", "__", StringComparison.Ordinal)] = "true"; // others start at the same moment, and all would find the usual ports free
        return StartedAsync(start);
    }

    /// <summary>Runs an AppHost that writes something down and ends.</summary>
    public static async Task<(int ExitCode, string Output)> PublishAsync(string project, params string[] arguments)
    {
        await using var host = new AppHostProcess(Start(project, byDotnetRun: false, arguments));
        _ = host._started.Task.Exception; // it is not to start
        var exitCode = await host.ExitCodeAsync();
        return (exitCode, host.Output.Length > 0 ? host.Output + "\n" : "");
    }

    /// <summary>A directory to use as PATH, with only these programs of this machine.</summary>
    public static string PathOf(TemporaryDirectory directory, params string[] programs)
    {
        var tools = Directory.CreateDirectory(Path.Combine(directory.Path, "tools")).FullName;
        foreach (var program in programs)
        {
            File.CreateSymbolicLink(Path.Combine(tools, program), Tools.Find(program)!);
        }

        return tools;
    }

    public void Signal(int signal) => _ = NativeMethods.Kill(Pid, signal);

    /// <summary>Waits until the AppHost has written a line.</summary>
    public async Task<string> LineAsync(Func<string, bool> isIt)
    {
        string? line = null;
        await Eventually.True(() => (line = Array.Find(Lines(), text => isIt(text))) is not null, () => Output);
        return line!;
    }

    /// <summary>The ids that a script wrote as "name id".</summary>
    public async Task<int[]> ReadPidsAsync(params string[] names)
    {
        var pids = new List<int>();
        foreach (var name in names)
        {
            var line = await LineAsync(text => text.Contains($" {name} ", StringComparison.Ordinal));
            pids.Add(int.Parse(line.Split(' ')[^1], CultureInfo.InvariantCulture));
        }

        return [.. pids];
    }

    public async Task<int> ExitCodeAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(s_limit);
        await _reading.WaitAsync(s_limit);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            // Its guard clears away the rest.
            var started = ProcessTree.Descendants(Pid);
            _process.Kill();
            await ProcessTree.GoneAsync(started, s_limit);
        }

        _process.Dispose();
        _home.Dispose();
    }

    private static ProcessStartInfo Start(string project, bool byDotnetRun, string[] arguments)
    {
        var directory = Path.Combine(Repository.Root, project);
        var configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name; // …/bin/Debug/net10.0/
        return new ProcessStartInfo(Programs.Dotnet, byDotnetRun
            ? ["run", "--no-build", "--configuration", configuration, "--project", directory, "--", .. arguments]
            : [Path.Combine(directory, "bin", configuration, "net10.0", $"{Path.GetFileName(directory)}.dll"), .. arguments]);
    }

    private static async Task<AppHostProcess> StartedAsync(ProcessStartInfo start)
    {
        var host = new AppHostProcess(start);
        try
        {
            await host._started.Task.WaitAsync(s_limit);
            return host;
        }
        catch (TimeoutException)
        {
            var output = host.Output;
            await host.DisposeAsync();
            Assert.Fail($"The AppHost has not started:\n{output}");
            throw;
        }
    }

    private async Task ReadAsync(StreamReader output)
    {
        while (await output.ReadLineAsync() is { } line)
        {
            lock (_lines)
            {
                _lines.Add(line);
            }

            if (line == Started)
            {
                _started.TrySetResult();
            }
        }
    }

    private string[] Lines()
    {
        lock (_lines)
        {
            return [.. _lines];
        }
    }
}
