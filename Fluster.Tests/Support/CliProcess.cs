using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>The built <c>fluster</c> as a process of its own, with a context file of its own.</summary>
internal sealed class CliProcess : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly StringBuilder _error = new();
    private readonly MemoryStream _out = new();
    private readonly Task _reading;

    private CliProcess(ProcessStartInfo start)
    {
        _process = Process.Start(start)!;
        _process.StandardInput.Close();
        _process.ErrorDataReceived += (_, line) =>
        {
            lock (_error)
            {
                _error.Append(line.Data is null ? "" : line.Data + "\n");
            }
        };
        _process.BeginErrorReadLine();
        _reading = ReadAsync();
    }

    public int Id => _process.Id;

    /// <summary>What it wrote to standard error so far.</summary>
    public string Error
    {
        get
        {
            lock (_error)
            {
                return _error.ToString();
            }
        }
    }

    /// <summary>What it wrote to standard output so far.</summary>
    public string Out => Encoding.UTF8.GetString(OutBytes);

    public byte[] OutBytes
    {
        get
        {
            lock (_out)
            {
                return _out.ToArray();
            }
        }
    }

    /// <summary>The program that was built together with these tests.</summary>
    public static string Program { get; } = Path.Combine(
        Repository.Root, "Fluster.Cli", "bin", new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name, new DirectoryInfo(AppContext.BaseDirectory).Name, "fluster.dll");

    /// <summary>Starts <c>fluster</c> for the cluster of a context file.</summary>
    public static CliProcess Start(string contextFile, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Program, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var variable in start.Environment.Keys.Where(key => key.StartsWith("FLUSTER_", StringComparison.Ordinal)).ToList())
        {
            start.Environment.Remove(variable);
        }

        start.Environment[FlusterEnvironment.ContextFile] = contextFile;
        return new CliProcess(start);
    }

    /// <summary>A context file that leads to a controller.</summary>
    public static async Task<string> WriteContextAsync(string directory, string address, string? token)
    {
        var path = Path.Combine(directory, "context.json");
        var file = new ClusterContextFile { Current = "default", Contexts = { ["default"] = new ClusterContextEntry { Address = address, Token = token } } };
        await File.WriteAllTextAsync(path, JsonSerializer.Serialize(file, ClusterContextJson.Default.ClusterContextFile));
        return path;
    }

    /// <summary>Its exit code, when everything it wrote was read.</summary>
    public async Task<int> ExitAsync()
    {
        using var late = new CancellationTokenSource(s_patience);
        await _process.WaitForExitAsync(late.Token);
        await _reading.WaitAsync(late.Token);
        return _process.ExitCode;
    }

    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", ["-s", signal, $"{_process.Id}"]);
        await kill.WaitForExitAsync();
    }

    /// <summary>Stops reading what it writes, as <c>head</c> does.</summary>
    public void CloseOut() => _process.StandardOutput.Close();

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.Dispose();
        _out.Dispose();
    }

    private async Task ReadAsync()
    {
        var buffer = new byte[64 * 1024];
        var output = _process.StandardOutput.BaseStream;
        try
        {
            while (await output.ReadAsync(buffer) is var count and > 0)
            {
                lock (_out)
                {
                    _out.Write(buffer, 0, count);
                }
            }
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException or OperationCanceledException)
        {
            // Closed by the test.
        }
    }
}
