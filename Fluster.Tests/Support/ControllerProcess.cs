using System.Net;
using System.Net.Sockets;
using Fluster.Cluster;
using Fluster.Rpc;
using Grpc.Core;
using Grpc.Net.Client;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>
/// A controller as a real process: free ports, a data directory and a key of its own. Can be killed and started again on the same data and
/// the same ports.
/// </summary>
internal sealed class ControllerProcess : IAsyncDisposable
{
    private static readonly TimeSpan s_startPatience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_tokenLifetime = TimeSpan.FromHours(1);

    private readonly TemporaryDirectory _directory = new();
    private readonly ClusterKey _key = ClusterKey.Create();
    private readonly Dictionary<string, string?> _settings;
    private readonly int _grpcPort = FreePorts.Next();
    private readonly int _httpPort = FreePorts.Next();
    private ServiceProcess? _process;

    private ControllerProcess(IReadOnlyDictionary<string, string?>? settings) =>
        _settings = settings?.ToDictionary(StringComparer.Ordinal) ?? new Dictionary<string, string?>(StringComparer.Ordinal);

    public string GrpcAddress => $"http://127.0.0.1:{_grpcPort}";

    public string HttpAddress => $"http://127.0.0.1:{_httpPort}";

    public string DataDirectory => Path.Combine(_directory.Path, "data");

    public string ClusterKeyPem => _key.ExportPublicPem();

    public string AdminToken => Sign(new TokenClaims { Role = TokenRoles.Admin, Namespace = "default", ExpiresAt = 0 });

    public ServiceProcess Process => _process ?? throw new InvalidOperationException("The controller is not running.");

    /// <param name="settings">More settings by environment name, for example <c>Fluster__Controller__WorkerLostSeconds</c>.</param>
    public static async Task<ControllerProcess> StartAsync(IReadOnlyDictionary<string, string?>? settings = null)
    {
        var controller = new ControllerProcess(settings);
        try
        {
            await controller.StartAsync();
            return controller;
        }
        catch
        {
            await controller.DisposeAsync();
            throw;
        }
    }

    /// <summary>A token as the controller's owner can sign it. Issue and expiry are filled in.</summary>
    public string Sign(TokenClaims claims, TimeSpan? lifetime = null, DateTimeOffset? issuedAt = null)
    {
        var now = issuedAt ?? TimeProvider.System.GetUtcNow();
        return _key.Sign(claims with { IssuedAt = now.ToUnixTimeSeconds(), ExpiresAt = (now + (lifetime ?? s_tokenLifetime)).ToUnixTimeSeconds() });
    }

    public string WorkerToken(string worker) => Sign(new TokenClaims { Role = TokenRoles.Worker, Worker = worker, ExpiresAt = 0 });

    /// <summary>The client that programs use, as admin.</summary>
    public FlusterClient Client(Namespace? @namespace = null, TimeSpan? patience = null) => new(new FlusterClientOptions
    {
        RetryTimeout = patience ?? TimeSpan.FromSeconds(30), // the default
        Address = GrpcAddress,
        Token = AdminToken,
        ClusterKey = ClusterKeyPem,
        Namespace = @namespace ?? Namespace.Default,
    });

    public GrpcChannel Channel() => RpcChannel.ForAddress(new Uri(GrpcAddress));

    /// <summary>The bare service, for what the client would not send.</summary>
    public static V1.ControllerService.ControllerServiceClient Service(GrpcChannel channel) => new(channel);

    public Metadata Headers(string? token = null) => new() { { "authorization", $"Bearer {token ?? AdminToken}" }, { ProtocolVersion.Metadata, ProtocolVersion.Current } };

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        await Process.KillAsync();
        await Process.DisposeAsync();
        _process = null;
    }

    /// <summary>SIGTERM, and waits until it has ended.</summary>
    public async Task<string> StopAsync()
    {
        await Process.StopAsync();
        var output = Process.Output;
        await Process.DisposeAsync();
        _process = null;
        return output;
    }

    /// <summary>Starts it, the first time or again on the same data and ports, and waits until it is healthy.</summary>
    public Task StartAsync()
    {
        Start();
        return HealthyAsync();
    }

    /// <summary>Starts it and does not wait.</summary>
    public void Start() => _process = ServiceProcess.Start("Fluster.Controller", Environment(), _directory.Path);

    /// <summary>Waits until it is healthy.</summary>
    public async Task HealthyAsync()
    {
        using var http = new HttpClient { BaseAddress = new Uri(HttpAddress) };
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            if (Process.HasExited || TimeProvider.System.GetElapsedTime(started) > s_startPatience)
            {
                throw new InvalidOperationException($"The controller did not start.\n{Process.Output}");
            }

            try
            {
                using var response = await http.GetAsync("/health");
                if (response.IsSuccessStatusCode)
                {
                    // It opens one port after the other.
                    using var grpc = new TcpClient();
                    await grpc.ConnectAsync(IPAddress.Loopback, new Uri(GrpcAddress).Port);
                    return;
                }
            }
            catch (Exception exception) when (exception is HttpRequestException or SocketException)
            {
                // Not yet.
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await _process.DisposeAsync();
        }

        _key.Dispose();
        _directory.Dispose();
    }

    private Dictionary<string, string?> Environment()
    {
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["HOME"] = _directory.Path,
            ["Kestrel__Endpoints__grpc__Url"] = GrpcAddress,
            ["Kestrel__Endpoints__http__Url"] = HttpAddress,
            ["Fluster__Controller__DataDirectory"] = DataDirectory,
            ["Fluster__Controller__ClusterKey"] = _key.ExportPrivatePem(),
        };
        foreach (var (name, value) in _settings)
        {
            environment[name] = value;
        }

        return environment;
    }
}
