using System.Diagnostics;
using System.Globalization;
using Aspire.Hosting.Running;

namespace Fluster.Tests;

/// <summary>The AppHost of Programs/ProbeAppHost as a process of its own.</summary>
internal sealed class ProbeAppHost : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<string> _lines = [];
    private readonly Task _reading;

    private ProbeAppHost(Process process)
    {
        _process = process;
        _reading = ReadAsync(process.StandardOutput);
    }

    public int Pid => _process.Id;

    public static async Task<ProbeAppHost> StartAsync(string script, bool byDotnetRun = false, string? path = null)
    {
        var project = Path.Combine(Repository.Root, "Fluster.Tests", "Programs", "ProbeAppHost");
        var configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name; // …/bin/Debug/net10.0/
        var start = new ProcessStartInfo(Programs.Dotnet, byDotnetRun
            ? ["run", "--no-build", "--configuration", configuration, "--project", project, "--", script]
            : [Path.Combine(project, "bin", configuration, "net10.0", "ProbeAppHost.dll"), script])
        {
            RedirectStandardOutput = true,
        };
        start.Environment["PATH"] = path ?? start.Environment["PATH"];
        var host = new ProbeAppHost(Process.Start(start)!);
        await host._started.Task.WaitAsync(s_limit);
        return host;
    }

    /// <summary>The ids that the script wrote as "name id".</summary>
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

    /// <summary>Waits until the AppHost has written a line.</summary>
    public async Task<string> LineAsync(Func<string, bool> isIt)
    {
        string? line = null;
        await Eventually.True(() => (line = Lines().FirstOrDefault(isIt)) is not null, () => string.Join('\n', Lines()));
        return line!;
    }

    public async Task<string> OutputAsync()
    {
        await _reading.WaitAsync(s_limit);
        return string.Join('\n', Lines());
    }

    public async Task<int> ExitCodeAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(s_limit);
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        _process.Dispose();
    }

    private async Task ReadAsync(StreamReader output)
    {
        while (await output.ReadLineAsync() is { } line)
        {
            lock (_lines)
            {
                _lines.Add(line);
            }

            if (line == "Distributed application started. Press Ctrl+C to shut down.")
            {
                _started.TrySetResult();
            }
        }

        _started.TrySetException(new InvalidOperationException(string.Join('\n', Lines())));
    }

    private string[] Lines()
    {
        lock (_lines)
        {
            return [.. _lines];
        }
    }
}
