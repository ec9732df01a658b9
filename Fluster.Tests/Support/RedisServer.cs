using System.Diagnostics;

namespace Fluster.Tests;

/// <summary>A redis-server of its own: loopback, a free port, a password, nothing on disk.</summary>
internal sealed class RedisServer : IAsyncDisposable
{
    private const string Password = "secret";

    private Process? _process;

    private RedisServer(int port) => Port = port;

    public int Port { get; }

    /// <summary>Of the running server.</summary>
    public int ProcessId => _process?.Id ?? throw new InvalidOperationException("redis-server is not running.");

    public string ConnectionString => $"localhost:{Port},password={Password}";

    public static async Task<RedisServer> StartAsync()
    {
        var server = new RedisServer(FreePorts.Next());
        await server.RestartAsync();
        return server;
    }

    /// <summary>Starts the (stopped) server again on the same port, empty.</summary>
    public async Task RestartAsync()
    {
        _process = Process.Start(new ProcessStartInfo(Tools.Find("redis-server")!, [
            "--port", $"{Port}", "--bind", "127.0.0.1", "--requirepass", Password, "--save", "", "--appendonly", "no", "--daemonize", "no"])
        {
            RedirectStandardOutput = true,
            WorkingDirectory = Path.GetTempPath(),
        })!;

        // Redis says so on its output when it accepts connections; afterwards the pipe must be kept empty.
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line.Contains("Ready to accept connections", StringComparison.Ordinal))
            {
                _ = _process.StandardOutput.ReadToEndAsync();
                return;
            }
        }

        throw new InvalidOperationException("redis-server did not start.");
    }

    public async Task StopAsync()
    {
        if (_process is { } process)
        {
            _process = null;
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }
    }

    public async ValueTask DisposeAsync() => await StopAsync();
}
