using System.Diagnostics;

namespace Aspire.Hosting.Running;

/// <summary>A process that was started for a resource.</summary>
internal sealed class RunningProcess : IDisposable
{
    /// <summary>How long, after the end, what is still in the pipes is waited for. A child of the process may hold them for ever.</summary>
    private static readonly TimeSpan s_drain = TimeSpan.FromSeconds(1);

    private readonly Process _process;
    private readonly Task _output;

    private RunningProcess(Process process, Action<string, bool> onLine)
    {
        _process = process;
        Identity = OperatingSystem.IsLinux() && ProcessTable.Read(process.Id) is { } entry ? entry.Identity : new ProcessIdentity(process.Id, 0);
        _output = Task.WhenAll(
            ReadAsync(process.StandardOutput, line => onLine(line, false)),
            ReadAsync(process.StandardError, line => onLine(line, true)));
        Exit = WaitAsync();
    }

    public ProcessIdentity Identity { get; }

    /// <summary>The exit code, after the last line was read. Signals are 128 and more.</summary>
    public Task<int> Exit { get; }

    /// <exception cref="DistributedApplicationException">The program could not be started.</exception>
    public static RunningProcess Start(LaunchSpec spec, Action<string, bool> onLine)
    {
        var start = Programs.InOwnSession(spec.Program, spec.Arguments);
        start.WorkingDirectory = spec.WorkingDirectory;
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.Environment.Clear();
        foreach (var (name, value) in spec.Environment)
        {
            start.Environment[name] = value;
        }

        try
        {
            var process = Process.Start(start) ?? throw new DistributedApplicationException($"'{spec.Program}' did not start.");
            var running = new RunningProcess(process, onLine);
            running.Say(spec.Input);
            return running;
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            throw new DistributedApplicationException($"'{spec.Program}' cannot be started: {exception.Message}", exception);
        }
    }

    /// <summary>Asks the process to end.</summary>
    public void Terminate()
    {
        if (OperatingSystem.IsWindows())
        {
            Kill();
        }
        else if (!Exit.IsCompleted && !_process.HasExited)
        {
            _ = NativeMethods.Kill(_process.Id, NativeMethods.SigTerm);
        }
    }

    public void Kill()
    {
        try
        {
            _process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It has ended.
        }
    }

    public void Dispose() => _process.Dispose();

    private static async Task ReadAsync(StreamReader reader, Action<string> onLine)
    {
        try
        {
            while (await reader.ReadLineAsync() is { } line)
            {
                onLine(line);
            }
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException)
        {
            // The pipe was closed on this side.
        }
    }

    private void Say(string? input)
    {
        try
        {
            _process.StandardInput.Write(input ?? "");
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended before it listened; its exit code says more.
        }
    }

    private async Task<int> WaitAsync()
    {
        await _process.WaitForExitAsync();
        await Task.WhenAny(_output, Task.Delay(s_drain, TimeProvider.System));
        return _process.ExitCode;
    }
}
