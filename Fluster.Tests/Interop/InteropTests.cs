using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Fluster.Tests;

/// <summary>The interoperability cases, .NET with .NET and with every peer, in both directions where the peer has a server.</summary>
public sealed class InteropTests(InteropTests.Shared shared) : IClassFixture<InteropTests.Shared>
{
    // The library takes requests and responses in turn over HTTP/1.1.
    private static readonly string[] s_needHttp2 = ["ping_pong", "cancel_after_first_response"];
    private static readonly string[] s_serverCompressed = ["server_compressed_unary", "server_compressed_streaming"];

    public static TheoryData<string> Cases => new(InteropCases.Names);

    public static TheoryData<string> CasesOverHttp1 => new(InteropCases.Names.Except(s_needHttp2));

    public static TheoryData<string> CasesWithoutServerCompression => new(InteropCases.Names.Except(s_serverCompressed));

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task DotnetClient_DotnetServer(string name) => await DotnetClientAsync((await shared.Dotnet).Address, name, serverSeesCompression: true);

    [PeerTheory(nameof(InteropPeer.GrpcJs))]
    [MemberData(nameof(Cases))]
    public Task GrpcJsClient_DotnetServer(string name) => PeerClientAsync(InteropPeer.GrpcJs, name, HttpProtocols.Http2);

    [PeerTheory(nameof(InteropPeer.Connect))]
    [MemberData(nameof(Cases))]
    public Task ConnectNodeClient_DotnetServer_OverGrpc(string name) => PeerClientAsync(InteropPeer.Connect, name, HttpProtocols.Http2, "grpc");

    [PeerTheory(nameof(InteropPeer.Connect))]
    [MemberData(nameof(Cases))]
    public Task ConnectNodeClient_DotnetServer_OverConnect(string name) => PeerClientAsync(InteropPeer.Connect, name, HttpProtocols.Http2, "connect");

    [PeerTheory(nameof(InteropPeer.Connect))]
    [MemberData(nameof(Cases))]
    public Task ConnectNodeClient_DotnetServer_OverConnectJson(string name) => PeerClientAsync(InteropPeer.Connect, name, HttpProtocols.Http2, "connect-json");

    [PeerTheory(nameof(InteropPeer.Connect))]
    [MemberData(nameof(CasesOverHttp1))]
    public Task ConnectNodeClient_DotnetServer_OverConnectAndHttp1(string name) => PeerClientAsync(InteropPeer.Connect, name, HttpProtocols.Http1, "connect-http1");

    [PeerTheory(nameof(InteropPeer.Grpcio))]
    [MemberData(nameof(Cases))]
    public Task GrpcioClient_DotnetServer(string name) => PeerClientAsync(InteropPeer.Grpcio, name, HttpProtocols.Http2);

    [PeerTheory(nameof(InteropPeer.GrpcJs))]
    [MemberData(nameof(CasesWithoutServerCompression))]
    public Task DotnetClient_GrpcJsServer(string name) => PeerServerAsync(InteropPeer.GrpcJs, name);

    [Theory(Skip = "The server of @grpc/grpc-js does not compress responses.")]
    [InlineData("server_compressed_unary")]
    [InlineData("server_compressed_streaming")]
    public Task DotnetClient_GrpcJsServer_Compressing(string name) => PeerServerAsync(InteropPeer.GrpcJs, name);

    [PeerTheory(nameof(InteropPeer.Connect))]
    [MemberData(nameof(CasesWithoutServerCompression))]
    public Task DotnetClient_ConnectNodeServer(string name) => PeerServerAsync(InteropPeer.Connect, name);

    [Theory(Skip = "The server of @connectrpc/connect-node compresses by size, not on request.")]
    [InlineData("server_compressed_unary")]
    [InlineData("server_compressed_streaming")]
    public Task DotnetClient_ConnectNodeServer_Compressing(string name) => PeerServerAsync(InteropPeer.Connect, name);

    [PeerTheory(nameof(InteropPeer.Grpcio))]
    [MemberData(nameof(Cases))]
    public Task DotnetClient_GrpcioServer(string name) => PeerServerAsync(InteropPeer.Grpcio, name);

    private static async Task DotnetClientAsync(string address, string name, bool serverSeesCompression)
    {
        using var cases = new InteropCases(address, serverSeesCompression);
        await cases.RunAsync(name).WaitAsync(TimeSpan.FromSeconds(60));
    }

    private async Task PeerServerAsync(InteropPeer peer, string name) =>
        await DotnetClientAsync((await shared.ServerOf(peer)).Address, name, serverSeesCompression: false);

    private async Task PeerClientAsync(InteropPeer peer, string name, HttpProtocols protocols, params string[] more)
    {
        var (wire, results) = await shared.ResultsOf(peer, protocols, more);
        Assert.True(results.TryGetValue(name, out var error), $"The client did not report {name}.");
        Assert.True(error is null, error);
        if (s_serverCompressed.Contains(name))
        {
            // The library does not tell its user; the server saw what it sent.
            byte[][] expected = name == "server_compressed_unary" ? [[1], [0]] : [[1, 0]];
            await Eventually.True(() => wire.Answered(name).Length >= expected.Length, () => $"The server answered {wire.Answered(name).Length} calls of {name}.");
            Assert.Equal(expected, wire.Answered(name).Select(flags => flags.Where(flag => flag != 2).ToArray())); // 2: the end of a Connect stream
        }
    }

    /// <summary>The servers, and what each peer's client found; made when the first test asks.</summary>
    public sealed class Shared : IAsyncLifetime
    {
        private readonly ConcurrentDictionary<object, Lazy<Task<InteropPeer.PeerServer>>> _servers = new();
        private readonly ConcurrentDictionary<string, Lazy<Task<(ServerWire, Dictionary<string, string?>)>>> _results = new(StringComparer.Ordinal);
        private readonly Lazy<Task<Target>> _dotnet = new(() => Target.StartAsync(HttpProtocols.Http2));

        internal Task<Target> Dotnet => _dotnet.Value;

        public Task InitializeAsync() => Task.CompletedTask;

        public async Task DisposeAsync()
        {
            foreach (var server in _servers.Values)
            {
                (await server.Value).Dispose();
            }

            if (_dotnet.IsValueCreated)
            {
                await (await _dotnet.Value).DisposeAsync();
            }
        }

        internal Task<InteropPeer.PeerServer> ServerOf(InteropPeer peer) =>
            _servers.GetOrAdd(peer, _ => new(peer.StartServerAsync)).Value;

        // Every client has a server of its own, so that what the server saw is that client's.
        internal Task<(ServerWire Wire, Dictionary<string, string?> Results)> ResultsOf(InteropPeer peer, HttpProtocols protocols, string[] more) =>
            _results.GetOrAdd($"{peer.GetHashCode()} {string.Join(' ', more)}", _ => new(async () =>
            {
                await using var own = await Target.StartAsync(protocols);
                return (own.Wire, await peer.RunClientAsync(own.Address, more));
            })).Value;

        internal sealed class Target : IAsyncDisposable
        {
            private readonly GrpcTestServer _server;

            private Target(GrpcTestServer server, ServerWire wire)
            {
                _server = server;
                Wire = wire;
            }

            public string Address => _server.Address;

            public ServerWire Wire { get; }

            public static async Task<Target> StartAsync(HttpProtocols protocols)
            {
                var wire = new ServerWire();
                var server = await GrpcTestServer.StartAsync(
                    builder => builder.Services.AddRpcLimits().AddGrpc(grpc => grpc.ResponseCompressionAlgorithm = "gzip"),
                    app =>
                    {
                        wire.Use(app);
                        app.MapConnectService<InteropTarget>();
                    },
                    protocols);
                return new Target(server, wire);
            }

            public ValueTask DisposeAsync() => _server.DisposeAsync();
        }
    }
}

/// <summary>A theory that needs a peer. Without it the test is skipped by name, with the reason.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class PeerTheoryAttribute : TheoryAttribute
{
    private static readonly ConcurrentDictionary<string, string?> s_missing = new(StringComparer.Ordinal);

    public PeerTheoryAttribute(string peer)
    {
        Skip = s_missing.GetOrAdd(peer, name => ((InteropPeer)typeof(InteropPeer).GetProperty(name)!.GetValue(null)!).Missing());
    }
}
