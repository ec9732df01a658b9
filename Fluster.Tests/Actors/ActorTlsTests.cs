using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Fluster.Actors;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Actor servers that other machines can reach: TLS, with a certificate that clients know by their endpoint or token.</summary>
public sealed class ActorTlsTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    public interface IEcho
    {
        Task<int> Twice(int value);

        Task<byte[]> Back(byte[] bytes);

        IAsyncEnumerable<int> Count(int to);
    }

    [Fact]
    public async Task Server_OffLoopback_SpeaksTls_SessionsKnowItByItsToken()
    {
        await using var server = await ServeAsync(new ActorServerOptions { Host = "0.0.0.0" });
        Assert.Equal("https", server.Address.Scheme);
        using var client = new ActorClient<IEcho>(Near(server), token: server.Token);
        var bytes = new byte[3_000_000];
        new Random(1).NextBytes(bytes);

        Assert.Equal(42, await client.Actor.Twice(21).WaitAsync(s_patience));
        Assert.Equal(bytes, await client.Actor.Back(bytes).WaitAsync(s_patience));
        Assert.Equal(Enumerable.Range(0, 100), await client.Actor.Count(100).ToListAsync());
        Assert.Equal(Enumerable.Range(0, 200).Select(value => 2 * value), await Task.WhenAll(Enumerable.Range(0, 200).Select(client.Actor.Twice)).WaitAsync(s_patience));
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Server_WithTls_AnswersHttpOnTheSamePort(string version)
    {
        await using var server = await ServeAsync(new ActorServerOptions { Host = "0.0.0.0" });
        var pin = TokenClaims.ReadUnchecked(server.Token)!.CertificateHash;
        using var handler = new SocketsHttpHandler();
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) => CertificatePin.HashOf(certificate!) == pin;
        using var http = new HttpClient(handler) { DefaultRequestVersion = Version.Parse(version), DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        http.DefaultRequestHeaders.Authorization = new("Bearer", server.Token);

        using var response = await http.PostAsJsonAsync(new Uri($"{Near(server)}/fluster.actors.v1.ActorService/Call"), new { method = "Twice", arguments = "[4]" });

        Assert.Equal((HttpStatusCode.OK, Version.Parse(version)), (response.StatusCode, response.Version));
        Assert.Equal("8", (string?)JsonNode.Parse(await response.Content.ReadAsStringAsync())!["value"]);
    }

    [Fact]
    public async Task Client_ExpectsAnotherCertificate_DoesNotSendItsToken()
    {
        await using var server = await ServeAsync(new ActorServerOptions { Host = "0.0.0.0" });
        await using var other = await ServeAsync(new ActorServerOptions { Host = "0.0.0.0" });
        await using var plain = await ServeAsync(new ActorServerOptions());
        using var trusting = new ActorClient<IEcho>(Near(server), token: plain.Token);
        using var mistaken = new ActorClient<IEcho>(Near(server), token: other.Token);

        var unknown = await Assert.ThrowsAsync<ClusterException>(() => trusting.Actor.Twice(1).WaitAsync(s_patience));
        var wrong = await Assert.ThrowsAsync<ClusterException>(() => mistaken.Actor.Twice(1).WaitAsync(s_patience));

        Assert.Contains("does not trust the certificate", unknown.Message, StringComparison.Ordinal);
        Assert.Contains("shows another certificate", wrong.Message, StringComparison.Ordinal);
        Assert.Equal(0, server.Sessions.State.Connections);
    }

    [Fact]
    public async Task PlainCalls_OfAServerWithTls_AreToldWhatToDo()
    {
        await using var server = await ServeAsync(new ActorServerOptions { Host = "0.0.0.0" });
        var address = $"http://127.0.0.1:{server.Address.Port}";
        using var session = new ActorClient<IEcho>(address, token: server.Token);
        using var http = new HttpClient();

        var refused = await Assert.ThrowsAsync<ClusterException>(() => session.Actor.Twice(1).WaitAsync(s_patience));
        using var answer = await http.GetAsync(new Uri(address));

        Assert.Contains("This port speaks TLS", refused.Message, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("https://", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Server_OffLoopback_IsPlainWhenItsOwnerAllowsIt()
    {
        await using var server = await ServeAsync(new ActorServerOptions { Host = "0.0.0.0", AllowPlainHttp = true });
        using var client = new ActorClient<IEcho>($"http://127.0.0.1:{server.Address.Port}", token: server.Token);

        Assert.Equal("http", server.Address.Scheme);
        Assert.Equal(42, await client.Actor.Twice(21).WaitAsync(s_patience));
    }

    [Fact]
    public async Task Certificate_IsGiven_IsShownOnLoopbackToo()
    {
        using var certificate = SelfSigned.FromPem(SelfSigned.MakePem("tests", TimeProvider.System.GetUtcNow()));
        await using var server = await ServeAsync(new ActorServerOptions { Certificate = certificate });
        using var client = new ActorClient<IEcho>(server.Address.ToString(), token: server.Token);
        using var withoutKey = X509CertificateLoader.LoadCertificate(certificate.RawData);

        Assert.Equal("https", server.Address.Scheme);
        Assert.Equal(42, await client.Actor.Twice(21).WaitAsync(s_patience));
        Assert.Contains("has no private key", (await Assert.ThrowsAsync<InvalidOperationException>(() => ServeAsync(new ActorServerOptions { Certificate = withoutKey }))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Endpoint_SaysWhichCertificate_ClientsAndTheCommandLineBelieveIt()
    {
        using var directory = new TemporaryDirectory();
        await using var controller = await ControllerProcess.StartAsync();
        await using var cluster = controller.Client();
        await using var registration = await cluster.EndpointRegistry.OpenRegistrationAsync();
        await using var server = new ActorServer(new ActorServerOptions { Host = "0.0.0.0", AdvertiseHost = "127.0.0.1", Registration = registration, ClusterKey = controller.ClusterKeyPem });
        server.Register("echo", new Echo());
        await server.StartAsync();
        using var client = new ActorClient<IEcho>(cluster.Resolver(), "echo");
        var context = await CliProcess.WriteContextAsync(directory.Path, controller.GrpcAddress, controller.AdminToken);
        using var call = CliProcess.Start(context, "actor", "call", "echo", "Twice", "4");

        Assert.Equal(42, await client.Actor.Twice(21).WaitAsync(s_patience));
        Assert.True(await call.ExitAsync() == 0, call.Error);
        Assert.Equal("8\n", call.Out);
        Assert.StartsWith("https://127.0.0.1:", (await cluster.EndpointRegistry.LookupAsync(Namespace.Default, "echo")).Single().Address, StringComparison.Ordinal);
    }

    private static string Near(ActorServer server) => $"https://127.0.0.1:{server.Address.Port}";

    private static async Task<ActorServer> ServeAsync(ActorServerOptions options)
    {
        var server = new ActorServer(options with { Announcements = TextWriter.Null });
        server.Register("echo", new Echo());
        await server.StartAsync();
        return server;
    }

    private sealed class Echo : IEcho
    {
        public Task<int> Twice(int value) => Task.FromResult(2 * value);

        public Task<byte[]> Back(byte[] bytes) => Task.FromResult(bytes);

        public async IAsyncEnumerable<int> Count(int to)
        {
            for (var i = 0; i < to; i++)
            {
                await Task.Yield();
                yield return i;
            }
        }
    }
}
