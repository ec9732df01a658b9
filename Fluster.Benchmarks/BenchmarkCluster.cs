using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Fluster.Cluster;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Benchmarks;

/// <summary>A controller and, mostly, a worker as real processes on this machine, with data of their own that goes when they go.</summary>
internal sealed class BenchmarkCluster : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_shortInterval = TimeSpan.FromMilliseconds(5);

    /// <summary>The controller as it is deployed, published once for all benchmarks of a run.</summary>
    private static readonly Lazy<string> s_controllerOutput = new(PublishController);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("fluster-bench-");
    private readonly ClusterKey _key = ClusterKey.Create();
    private readonly List<Process> _processes = [];
    private readonly string _grpc = $"http://127.0.0.1:{FreePort()}";
    private readonly string _http = $"http://127.0.0.1:{FreePort()}";
    private Process? _controller;

    private BenchmarkCluster()
    {
        if (!OperatingSystem.IsWindows())
        {
            _directory.UnixFileMode |= UnixFileMode.GroupExecute | UnixFileMode.OtherExecute; // for the users of attempts
        }
    }

    /// <summary>A directory that is deleted with the cluster.</summary>
    public string DataRoot => _directory.FullName;

    /// <summary>Where the controller keeps blobs, each named by its hash.</summary>
    public string BlobDirectory => Path.Combine(ControllerDirectory, "blobs");

    private string ControllerDirectory => Path.Combine(_directory.FullName, "controller");

    public FlusterClientOptions Options => new() { Address = _grpc, Token = Sign(new TokenClaims { Role = TokenRoles.Admin, ExpiresAt = 0 }) };

    /// <summary>The memory of the controller's process, as the system counts it.</summary>
    public long ControllerResidentBytes
    {
        get
        {
            _controller!.Refresh();
            return _controller.WorkingSet64;
        }
    }

    /// <summary>The processor time that the controller has used.</summary>
    public TimeSpan ControllerProcessorTime
    {
        get
        {
            _controller!.Refresh();
            return _controller.TotalProcessorTime;
        }
    }

    /// <param name="cancellationToken">Ends the wait.</param>
    /// <param name="withWorker">Whether there is a worker; without one nothing is placed.</param>
    /// <param name="prepare">Fills the controller's data directory before it starts.</param>
    public static async Task<BenchmarkCluster> StartAsync(CancellationToken cancellationToken, bool withWorker = true, Func<string, Task>? prepare = null)
    {
        var cluster = new BenchmarkCluster();
        try
        {
            if (prepare is not null)
            {
                await prepare(cluster.ControllerDirectory);
            }

            cluster.StartController();
            if (withWorker)
            {
                cluster.Start("Fluster.Worker", OutputOf("Fluster.Worker"), new()
                {
                    ["Fluster__Worker__Id"] = "bench",
                    ["Fluster__Worker__ControllerAddress"] = cluster._grpc,
                    ["Fluster__Worker__Token"] = cluster.Sign(new TokenClaims { Role = TokenRoles.Worker, Worker = "bench", ExpiresAt = 0 }),
                    ["Fluster__Worker__DataDirectory"] = Path.Combine(cluster.DataRoot, "worker"),
                });
            }

            await cluster.WaitAsync(withWorker, s_interval, cancellationToken);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    public FlusterClient NewClient() => new(Options);

    /// <summary>kill -9, and started again on the same data.</summary>
    /// <returns>The time from the start of the process to its first answer to a call with a token.</returns>
    public async Task<TimeSpan> RestartControllerAsync(CancellationToken cancellationToken)
    {
        var killed = _controller!;
        killed.Kill();
        await killed.WaitForExitAsync(cancellationToken);
        _processes.Remove(killed);
        killed.Dispose();
        var started = Stopwatch.GetTimestamp();
        StartController();
        await WaitAsync(forWorker: false, s_shortInterval, cancellationToken);
        return Stopwatch.GetElapsedTime(started);
    }

    public ValueTask DisposeAsync()
    {
        foreach (var process in Enumerable.Reverse(_processes))
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            process.Dispose();
        }

        _key.Dispose();
        _directory.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static string Root([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, ".."));

    private string Sign(TokenClaims claims)
    {
        var now = TimeProvider.System.GetUtcNow();
        return _key.Sign(claims with { IssuedAt = now.ToUnixTimeSeconds(), ExpiresAt = now.AddDays(1).ToUnixTimeSeconds() });
    }

    private void StartController() => _controller = Start("Fluster.Controller", s_controllerOutput.Value, new()
    {
        ["Kestrel__Endpoints__grpc__Url"] = _grpc,
        ["Kestrel__Endpoints__http__Url"] = _http,
        ["Fluster__Controller__DataDirectory"] = ControllerDirectory,
        ["Fluster__Controller__ClusterKey"] = _key.ExportPrivatePem(),
    });

    /// <summary>In Debug, and where the feed lacks the package for it, the build's own output.</summary>
    private static string PublishController()
    {
        var published = Path.Combine(Root(), "Fluster.Controller", "bin", "published");
        string[] arguments = ["publish", Path.Combine(Root(), "Fluster.Controller"), "-c", "Release", "-o", published, "-nologo", "-v", "quiet", "-nodeReuse:false", "-p:FlusterReadyToRun=true", "-p:FlusterAnalyzers=false"];
        if (!IsRelease)
        {
            return OutputOf("Fluster.Controller");
        }

        using var publish = Process.Start(new ProcessStartInfo("dotnet", arguments) { RedirectStandardOutput = true }) ?? throw new InvalidOperationException("dotnet publish did not start.");
        var output = publish.StandardOutput.ReadToEnd();
        publish.WaitForExit();
        if (publish.ExitCode == 0)
        {
            return published;
        }

        Console.Error.WriteLine($"The controller is measured as it is built, not as it is deployed: {output}");
        return OutputOf("Fluster.Controller");
    }

    private static bool IsRelease => AppContext.BaseDirectory.Contains($"{Path.DirectorySeparatorChar}Release{Path.DirectorySeparatorChar}", StringComparison.Ordinal);

    private static string OutputOf(string project) => Path.Combine(Root(), project, "bin", IsRelease ? "Release" : "Debug", "net10.0");

    private Process Start(string project, string output, Dictionary<string, string> environment)
    {
        var log = Path.Combine(_directory.FullName, project + ".log");

        // Through a shell, so that what it writes goes to a file and not to the lines of JSON; exec, so that the process is the program.
        var start = new ProcessStartInfo("/bin/sh", ["-c", "exec dotnet \"$0\" --contentRoot \"$1\" > \"$2\" 2>&1 < /dev/null", Path.Combine(output, project + ".dll"), output, log]);
        start.Environment["HOME"] = _directory.FullName;
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        var process = Process.Start(start) ?? throw new InvalidOperationException($"{project} did not start.");
        _processes.Add(process);
        return process;
    }

    private async Task WaitAsync(bool forWorker, TimeSpan interval, CancellationToken cancellationToken)
    {
        await using var client = NewClient();
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                using (var socket = new TcpClient())
                {
                    await socket.ConnectAsync(IPAddress.Loopback, new Uri(_grpc).Port, cancellationToken); // asking a port that is closed by RPC keeps a processor busy
                }

                var answer = await client.Calls.CallAsync((service, options) => service.ListWorkersAsync(new V1.ListWorkersRequest(), options), cancellationToken);
                if (!forWorker || answer.Workers.Any(worker => worker.State == "Alive"))
                {
                    return;
                }
            }
            catch (Exception exception) when (exception is SocketException or ClusterException { Error: ClusterError.Unavailable })
            {
                // Not yet.
            }

            if (Stopwatch.GetElapsedTime(started) > s_patience || _processes.Any(process => process.HasExited))
            {
                var logs = Directory.EnumerateFiles(_directory.FullName, "*.log").Select(File.ReadAllText);
                throw new InvalidOperationException($"The cluster did not start.\n{string.Join('\n', logs)}");
            }

            await Task.Delay(interval, TimeProvider.System, cancellationToken);
        }
    }
}
