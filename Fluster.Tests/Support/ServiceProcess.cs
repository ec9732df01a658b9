using System.Collections.Concurrent;
using System.Diagnostics;

namespace Fluster.Tests;

/// <summary>
/// A service of this repository as a process of its own: the built program, an environment, its output. Dies with the test host, however
/// that ends.
/// </summary>
internal sealed class ServiceProcess : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> _output = new();
    private readonly Process _process;
    private readonly Process? _guard;

    private ServiceProcess(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        _guard = OperatingSystem.IsWindows() ? null : Guard(process.Id);
    }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    public int ExitCode => _process.ExitCode;

    /// <summary>What it wrote so far, both streams.</summary>
    public string Output => string.Join('\n', _output);

    /// <summary>Starts the program of a project, as it was built with the tests.</summary>
    public static ServiceProcess Start(string project, IReadOnlyDictionary<string, string?> environment, string workingDirectory, string assembly = "")
    {
        var configuration = AppContext.BaseDirectory.Contains("/Release/", StringComparison.Ordinal) ? "Release" : "Debug";
        var directory = Path.Combine(Repository.Root, project, "bin", configuration, "net10.0");
        var start = new ProcessStartInfo("dotnet", [Path.Combine(directory, (assembly.Length > 0 ? assembly : project) + ".dll"), "--contentRoot", directory])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = workingDirectory,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return new ServiceProcess(Process.Start(start) ?? throw new InvalidOperationException($"{project} did not start."));
    }

    /// <summary>kill -9: it has no chance to do anything.</summary>
    public async Task KillAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        await _process.WaitForExitAsync();
    }

    /// <summary>SIGTERM.</summary>
    public void Stop()
    {
        if (!_process.HasExited)
        {
            Signals.Send(_process.Id, Signals.Terminate);
        }
    }

    /// <summary>SIGTERM, and waits until it has ended.</summary>
    public async Task StopAsync(TimeSpan? patience = null)
    {
        Stop();
        await _process.WaitForExitAsync().WaitAsync(patience ?? TimeSpan.FromSeconds(30), TimeProvider.System);
    }

    public Task WaitForExitAsync(TimeSpan patience) => _process.WaitForExitAsync().WaitAsync(patience, TimeProvider.System);

    public async ValueTask DisposeAsync()
    {
        if (_guard is not null)
        {
            _guard.Kill();
            await _guard.WaitForExitAsync();
            _guard.Dispose();
        }

        await KillAsync();
        _process.Dispose();
    }

    // Waits on a pipe that only this process holds: its end is the end of the test host.
    private static Process Guard(int processId) =>
        Process.Start(new ProcessStartInfo("/bin/sh", ["-c", $"read line; kill -9 {processId}"]) { RedirectStandardInput = true })
        ?? throw new InvalidOperationException("The guard did not start.");

    private void Keep(string? line)
    {
        if (line is not null)
        {
            _output.Enqueue(line);
        }
    }
}
