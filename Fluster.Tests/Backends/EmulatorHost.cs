using System.Collections.Concurrent;
using System.Net.Http.Json;
using System.Text.Json;
using Fluster.Backends;
using Fluster.Cluster;
using Fluster.GcpEmulator;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fluster.Tests;

/// <summary>An emulator in this process, with clients over real connections. What they send and what it answers is held against Google's descriptions, where those are.</summary>
internal sealed class EmulatorHost : IAsyncDisposable
{
    public const string Project = "my-project-1";
    public const string ClusterId = "c0ffee";
    public const string Zone = "us-central1-a";
    public const string OtherZone = "us-central1-b";

    private readonly WebApplication _app;
    private readonly HttpClient _http = new();
    private readonly List<GcpConnection> _connections = [];

    private EmulatorHost(WebApplication app) => _app = app;

    public Uri Address => GcpEmulatorApp.AddressOf(_app);

    /// <summary>The requests that reached it, as <c>POST /path?query</c>, in order.</summary>
    public ConcurrentQueue<string> Requests { get; } = new();

    public GcpOptions Options { get; private set; } = new();

    public static async Task<EmulatorHost> StartAsync(params string[] args)
    {
        var app = GcpEmulatorApp.Build(["--urls", "http://127.0.0.1:0", "--operation-ms", "30", "--notice-ms", "50", .. args]);
        await app.StartAsync();
        var host = new EmulatorHost(app);
        host.Options = new GcpOptions
        {
            Project = Project,
            Zones = [Zone, OtherZone, "europe-west4-a"],
            ComputeBaseUri = new Uri(host.Address, "compute/v1/"),
            TpuBaseUri = host.Address,
            TpuQueueTimeout = TimeSpan.FromSeconds(20),
        };
        return host;
    }

    /// <param name="tokens">Default: one that the emulator takes.</param>
    public GcpConnection Connect(IAccessTokenSource? tokens = null)
    {
        var retry = new GcpRetry { Tries = 4, First = TimeSpan.FromMilliseconds(5), Longest = TimeSpan.FromMilliseconds(50), RateLimit = TimeSpan.FromMilliseconds(20), TryTimeout = TimeSpan.FromSeconds(20) };
        var connection = new GcpConnection(tokens ?? new FixedAccessToken("emulated"), retry, transport: new WatchingHandler(this));
        _connections.Add(connection);
        return connection;
    }

    public ComputeClient Compute(IAccessTokenSource? tokens = null) => new(Connect(tokens), Options.ComputeBaseUri, Project);

    public TpuClient Tpu() => new(Connect(), Options.TpuBaseUri, Project);

    public GceBackend Gce(string clusterId = ClusterId) => GcpBackends.ComputeEngine("gce", Options, clusterId, Connect(), NullLoggerFactory.Instance);

    public TpuBackend TpuBackend(string clusterId = ClusterId) => GcpBackends.Tpu("tpu", Options, clusterId, Connect(), NullLoggerFactory.Instance);

    /// <summary>Makes something go wrong.</summary>
    public async Task ControlAsync(string name, object request)
    {
        using var response = await _http.PostAsJsonAsync(new Uri(Address, $"_emulator/{name}"), request);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
    }

    /// <summary>The same, where what it is about may be gone by then.</summary>
    public async Task TryControlAsync(string name, object request)
    {
        using var response = await _http.PostAsJsonAsync(new Uri(Address, $"_emulator/{name}"), request);
    }

    /// <summary>The names of all that there is: instances, nodes, queued resources.</summary>
    public async Task<IReadOnlyList<string>> NamesAsync()
    {
        var state = await StateAsync();
        return [.. Of("instances", "name"), .. Of("nodes", "id"), .. Of("queuedResources", "id")];

        IEnumerable<string> Of(string kind, string name) => state.GetProperty(kind).EnumerateArray().Select(item => $"{kind}/{item.GetProperty(name).GetString()}");
    }

    public async Task<JsonElement> StateAsync() => await _http.GetFromJsonAsync<JsonElement>(new Uri(Address, "_emulator/state"));

    /// <summary>What a machine, or a host of a slice, wrote.</summary>
    public async Task<string> ConsoleAsync(string host)
    {
        using var response = await _http.GetAsync(new Uri(Address, $"_emulator/console/{host}"));
        return response.IsSuccessStatusCode ? await response.Content.ReadAsStringAsync() : "It is gone.";
    }

    /// <summary>What a machine is told by its metadata server.</summary>
    public async Task<HttpResponseMessage> MetadataAsync(string host, string path, bool isAsProper = true)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(Address, $"_vm/{host}/computeMetadata/v1/{path}"));
        if (isAsProper)
        {
            request.Headers.Add("Metadata-Flavor", "Google");
        }

        return await _http.SendAsync(request);
    }

    public async Task<string> MetadataTextAsync(string host, string path)
    {
        using var response = await MetadataAsync(host, path);
        Assert.True(response.IsSuccessStatusCode, $"{path}: {response.StatusCode}");
        return await response.Content.ReadAsStringAsync();
    }

    /// <summary>A request for the first of a backend's offers.</summary>
    public static VmRequest Request(IVmBackend backend, string id, ResourceSpec? needs = null, int offer = 0, string clusterId = ClusterId) => new(VmId.Parse(id), Guid.NewGuid(), backend.Offers(needs ?? ResourceSpec.WithCpu())[offer], clusterId)
    {
        WorkerEnvironment = new Dictionary<string, string>(StringComparer.Ordinal) { ["Fluster__Worker__Token"] = "a.b.c", ["Fluster__Worker__ControllerAddress"] = "http://127.0.0.1:1" },
    };

    public async ValueTask DisposeAsync()
    {
        _connections.ForEach(connection => connection.Dispose());
        _http.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    /// <summary>Sees what goes over the connection.</summary>
    private sealed class WatchingHandler(EmulatorHost host) : DelegatingHandler(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            host.Requests.Enqueue($"{request.Method} {request.RequestUri!.PathAndQuery}");
            var sent = request.Content is null ? null : await request.Content.ReadAsStringAsync(cancellationToken);
            var response = await base.SendAsync(request, cancellationToken);
            await response.Content.LoadIntoBufferAsync(cancellationToken);
            var answer = await response.Content.ReadAsStringAsync(cancellationToken);
            Assert.Equal([], GcpSchemas.Found?.Check(request.Method.Method, request.RequestUri, sent, (int)response.StatusCode, answer) ?? []);
            return response;
        }
    }
}
