using System.Net;
using System.Net.Http.Headers;
using System.Runtime.Versioning;
using System.Text;
using Fluster.Actors;
using Fluster.Cluster;
using Fluster.Controller;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>
/// Every door of every program, and who may go in. A door that is not in these tables fails a test: write down who may use it, here and in
/// the program's own rules.
/// </summary>
[SupportedOSPlatform("linux")]
public sealed class DefaultDenyTests(DefaultDenyTests.Fixture fixture) : IClassFixture<DefaultDenyTests.Fixture>
{
    private const string Anybody = "anybody, by GET";
    private const string Nobody = "nobody";
    private const string Operators = "admin service";
    private const string Users = "admin service job";
    private const string Everybody = "admin service job worker";
    private const string Controller = "/fluster.cluster.v1.ControllerService/";
    private const string ActorService = "/fluster.actors.v1.ActorService/";

    /// <summary>What a router answers for names that a service does not have.</summary>
    private const string UnknownMethod = "{unimplementedMethod:grpcunimplemented}";

    private static readonly Dictionary<string, string> s_controllerDoors = new(StringComparer.Ordinal)
    {
        ["/"] = Operators,
        ["/assets/{name}"] = Anybody,
        ["/job"] = Operators,
        ["/job/log"] = Operators,
        ["/job/stop"] = Operators,
        ["/jobs"] = Operators,
        ["/login"] = "anybody",
        ["/workers"] = Operators,
        ["/worker"] = Operators,
        ["/worker/drain"] = "admin",
        ["/vms"] = Operators,
        ["/endpoints"] = Operators,
        ["/endpoint"] = Operators,
        ["/endpoint/call"] = Operators,
        ["/actions"] = Operators,
        ["/logout"] = Operators,
        ["/alive"] = Anybody,
        ["/worker-package"] = "worker",
        ["/health"] = Anybody,
        ["/grpc.health.v1.Health/Check"] = "anybody",
        ["/grpc.health.v1.Health/Watch"] = Everybody,
        ["/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"] = Operators,
        ["/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"] = Operators,
        ["/{unimplementedService}/" + UnknownMethod] = Nobody,
        ["/grpc.health.v1.Health/" + UnknownMethod] = Nobody,
        ["/grpc.reflection.v1.ServerReflection/" + UnknownMethod] = Nobody,
        ["/grpc.reflection.v1alpha.ServerReflection/" + UnknownMethod] = Nobody,
        [Controller + UnknownMethod] = Nobody,
        [Controller + "AdoptWorkers"] = "admin",
        [Controller + "CreateLoginCode"] = Operators,
        [Controller + "DrainWorker"] = "admin",
        [Controller + "ExplainJob"] = Users,
        [Controller + "GetBlob"] = Everybody,
        [Controller + "GetClusterStatus"] = Users,
        [Controller + "GetJobStatus"] = Users,
        [Controller + "GetJobTrace"] = Users,
        [Controller + "GetResult"] = Users,
        [Controller + "HasBlobs"] = Everybody,
        [Controller + "LaunchJob"] = Users,
        [Controller + "ListActions"] = Users,
        [Controller + "ListEndpoints"] = Users,
        [Controller + "ListJobs"] = Users,
        [Controller + "ListWorkers"] = Operators,
        [Controller + "ListVms"] = Operators,
        [Controller + "ReportSpans"] = "worker",
        [Controller + "LookupEndpoints"] = Users,
        [Controller + "OpenRegistration"] = Operators,
        [Controller + "RegisterEndpoint"] = Users,
        [Controller + "RenewToken"] = "job",
        [Controller + "RevokeNamespace"] = "admin",
        [Controller + "StreamLogs"] = Users,
        [Controller + "TerminateJob"] = Users,
        [Controller + "UnregisterEndpoint"] = Users,
        [Controller + "UploadBlobs"] = Everybody,
        [Controller + "WaitJobs"] = Users,
        [Controller + "WatchEndpoints"] = Users,
        [Controller + "WatchJob"] = Users,
        [Controller + "WorkerLink"] = "worker",
        [Controller + "WorkerLogs"] = "worker",
    };

    private static readonly Dictionary<string, string> s_actorDoors = new(StringComparer.Ordinal)
    {
        ["/{unimplementedService}/" + UnknownMethod] = Nobody,
        [ActorService + UnknownMethod] = Nobody,
        ["/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"] = Users,
        ["/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"] = Users,
        ["/grpc.reflection.v1.ServerReflection/" + UnknownMethod] = Nobody,
        ["/grpc.reflection.v1alpha.ServerReflection/" + UnknownMethod] = Nobody,
        [ActorService + "Call"] = Users,
        [ActorService + "ListActors"] = Users,
        [ActorService + "ListMethods"] = Users,
        [ActorService + "HealthCheck"] = Users,
    };

    [Fact]
    public async Task Controller_EveryRoute_IsInTheTable()
    {
        using var directory = new TemporaryDirectory();
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { ContentRootPath = directory.Path });
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>(StringComparer.Ordinal) { ["Fluster:Controller:DataDirectory"] = directory.File("data") });
        builder.AddController(_ => { });
        await using var application = builder.Build();
        application.MapController();

        Assert.Equal(s_controllerDoors.Keys.Order(StringComparer.Ordinal), RoutesOf(((IEndpointRouteBuilder)application).DataSources));
    }

    [Fact]
    public void Controller_EveryRpcOfItsProtos_IsInTheTable() =>
        Assert.All(
            RawRpc.Methods(V1.ControllerService.Descriptor, global::Grpc.Health.V1.Health.Descriptor, global::Grpc.Reflection.V1.ServerReflection.Descriptor),
            method => Assert.Contains(RawRpc.PathOf(method), s_controllerDoors.Keys));

    [Theory]
    [InlineData("none")]
    [InlineData("garbage")]
    [InlineData("foreign")]
    [InlineData("expired")]
    [InlineData("unknown role")]
    [InlineData("admin")]
    [InlineData("service")]
    [InlineData("worker")]
    [InlineData("job")]
    [InlineData("ended job")]
    public async Task Controller_EveryDoor_OpensForItsRolesOnly(string caller)
    {
        var token = fixture.Tokens[caller];
        var wrong = new List<string>();
        using var http = new HttpClient { BaseAddress = new Uri(fixture.Controller.HttpAddress) };
        using var grpc = new HttpClient { BaseAddress = new Uri(fixture.Controller.GrpcAddress), DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        foreach (var (route, who) in s_controllerDoors)
        {
            var path = PathFor(route);
            (string Door, string Expected, string Found)[] found =
            [
                ("GET", ExpectedFor(who, caller, isGet: true), await AskAsync(http, HttpMethod.Get, path, token)),
                ("POST", ExpectedFor(who, caller, isGet: false), await AskAsync(http, HttpMethod.Post, path, token)),
                ("gRPC", ExpectedFor(who, caller, isGet: false), await AskGrpcAsync(grpc, path, token)),
            ];
            wrong.AddRange(found.Where(answer => answer.Expected != answer.Found).Select(answer => $"{answer.Door} {path}: {answer.Found}, not {answer.Expected}"));
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public async Task Processes_ListenOnThePortsThatTheyShouldAndNoOthers()
    {
        await using var cluster = await TestCluster.StartAsync();
        var controller = cluster.Controller;

        Assert.Equal(
            ((int[])[new Uri(controller.GrpcAddress).Port, new Uri(controller.HttpAddress).Port]).Order(),
            ListeningPorts.Of(controller.Process.Id));
        Assert.Empty(ListeningPorts.Of(cluster.Workers[0].Process.Id));
    }

    [Fact]
    public async Task ActorServer_EveryDoor_NeedsAToken()
    {
        await using var server = new ActorServer(new ActorServerOptions { Announcements = TextWriter.Null });
        await server.StartAsync();
        var application = (WebApplication)typeof(ActorServer).GetField("_application", System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.NonPublic)!.GetValue(server)!;
        Assert.Equal(s_actorDoors.Keys.Order(StringComparer.Ordinal), RoutesOf(application.Services.GetRequiredService<EndpointDataSource>()));
        Assert.All(RawRpc.Methods(Actors.V1.ActorService.Descriptor), method => Assert.Contains(RawRpc.PathOf(method), s_actorDoors.Keys));
        Assert.Equal([server.Address.Port], application.Urls.Select(url => new Uri(url)).Where(url => url.Host != SessionListener.Http1.ToString()).Select(url => url.Port));

        using var grpc = new HttpClient { BaseAddress = server.Address, DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        foreach (var path in s_actorDoors.Keys.Select(PathFor).Concat(["/", "/health", "/alive", "/grpc.health.v1.Health/Check"]))
        {
            foreach (var token in (string?[])[null, "garbage", fixture.Tokens["foreign"], fixture.Tokens["admin"]])
            {
                Assert.Equal((path, "unauthenticated"), (path, await AskGrpcAsync(grpc, path, token)));
                Assert.Equal((path, "unauthenticated"), (path, await AskAsync(grpc, HttpMethod.Get, path, token)));
                Assert.Equal((path, "unauthenticated"), (path, await AskAsync(grpc, HttpMethod.Post, path, token)));
            }
        }

        Assert.Equal("in", await AskGrpcAsync(grpc, ActorService + "HealthCheck", server.Token));
    }

    [Theory]
    [InlineData(TokenRoles.Admin, "other", true)]
    [InlineData(TokenRoles.Service, "default", true)]
    [InlineData(TokenRoles.Service, "other", false)]
    [InlineData(TokenRoles.Job, "default", true)]
    [InlineData(TokenRoles.Job, "other", false)]
    [InlineData(TokenRoles.Worker, null, false)]
    [InlineData(TokenRoles.Adoption, null, false)]
    [InlineData("somebody", "default", false)]
    public void ActorServer_OfAJob_IsOpenForItsRolesOnly(string role, string? @namespace, bool opens)
    {
        using var key = ClusterKey.Create();
        using var tokens = ActorTokens.OfJob(key.ExportPublicPem(), "own", Namespace.Default, TimeProvider.System);
        var token = key.Sign(new TokenClaims { Role = role, Namespace = @namespace, ExpiresAt = long.MaxValue / 2 });

        Assert.Equal(opens, tokens.Problem("Bearer " + token) is null);
    }

    private static string ExpectedFor(string who, string caller, bool isGet) =>
        who == "anybody" || who == Anybody && isGet ? "in"
        : caller is not ("admin" or "service" or "worker" or "job" or "unknown role") ? "unauthenticated"
        : who is Nobody ? "absent"
        : who == Anybody ? "absent"
        : who.Split(' ').Contains(caller, StringComparer.Ordinal) ? "in"
        : "denied";

    private static string PathFor(string route) =>
        route.Replace("{unimplementedService}", "no.such.Service", StringComparison.Ordinal).Replace(UnknownMethod, "NoSuchMethod", StringComparison.Ordinal);

    private static IEnumerable<string> RoutesOf(params IEnumerable<EndpointDataSource> sources) =>
        sources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>().Select(endpoint => "/" + endpoint.RoutePattern.RawText!.TrimStart('/')).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal);

    private static async Task<string> AskAsync(HttpClient http, HttpMethod method, string path, string? token)
    {
        using var request = Request(method, path, token);
        request.Content = method == HttpMethod.Post ? new StringContent("{}", Encoding.UTF8, "application/json") : null;
        using var response = await SendAsync(http, request);
        return response.StatusCode switch
        {
            HttpStatusCode.Unauthorized => "unauthenticated",
            HttpStatusCode.Forbidden when await SaysAsync(response, "does not allow") => "denied",
            HttpStatusCode.NotFound when await SaysAsync(response, "This controller has no") => "absent",
            _ => "in",
        };
    }

    private static async Task<string> AskGrpcAsync(HttpClient http, string path, string? token)
    {
        using var request = Request(HttpMethod.Post, path, token);
        request.Content = new ByteArrayContent(new byte[5]); // one empty message
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        request.Headers.TE.ParseAdd("trailers");
        using var response = await SendAsync(http, request);

        // Who does not come in is told so in the headers; later answers have trailers.
        return response.Headers.TryGetValues("grpc-status", out var status) && response.Headers.TryGetValues("grpc-message", out var messages)
            ? (status.Single(), Uri.UnescapeDataString(messages.Single())) switch
            {
                ("16", _) => "unauthenticated",
                ("7", var message) when message.Contains("does not allow", StringComparison.Ordinal) => "denied",
                ("12", var message) when message.Contains("This controller has no", StringComparison.Ordinal) => "absent",
                _ => "in",
            }
            : "in";
    }

    private static HttpRequestMessage Request(HttpMethod method, string path, string? token)
    {
        var request = new HttpRequestMessage(method, path);
        request.Headers.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        return request;
    }

    // Some answers go on for ever: their beginning is enough.
    private static async Task<HttpResponseMessage> SendAsync(HttpClient http, HttpRequestMessage request)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        request.Version = http.DefaultRequestVersion;
        request.VersionPolicy = http.DefaultVersionPolicy;
        return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token);
    }

    private static async Task<bool> SaysAsync(HttpResponseMessage response, string words) => (await response.Content.ReadAsStringAsync()).Contains(words, StringComparison.Ordinal);

    /// <summary>One controller, with an attempt that lives and one that has ended.</summary>
    public sealed class Fixture : IAsyncLifetime
    {
        private ControllerProcess? _controller;
        private FakeWorker? _worker;

        internal ControllerProcess Controller => _controller!;

        internal Dictionary<string, string?> Tokens { get; } = new(StringComparer.Ordinal);

        public async Task InitializeAsync()
        {
            _controller = await ControllerProcess.StartAsync();
            _worker = await FakeWorker.ConnectAsync(_controller);
            var ended = await RunAsync("ended");
            await _worker.ExitedAsync(ended.Fence, 0);
            await _worker.WaitForAcknowledgementAsync(ended.Fence);
            var live = await RunAsync("live");
            using var stranger = ClusterKey.Create();
            var claims = new TokenClaims { Role = TokenRoles.Admin, Namespace = "default", ExpiresAt = long.MaxValue / 2 };
            Tokens["none"] = null;
            Tokens["garbage"] = "garbage";
            Tokens["foreign"] = stranger.Sign(claims);
            Tokens["expired"] = Controller.Sign(claims, TimeSpan.FromHours(-1));
            Tokens["unknown role"] = Controller.Sign(claims with { Role = TokenRoles.Adoption });
            Tokens["admin"] = Controller.AdminToken;
            Tokens["service"] = Controller.Sign(claims with { Role = TokenRoles.Service });
            Tokens["worker"] = Controller.WorkerToken("w9");
            Tokens["job"] = live.Spec.Token;
            Tokens["ended job"] = ended.Spec.Token;
        }

        public async Task DisposeAsync()
        {
            await _worker!.DisposeAsync();
            await Controller.DisposeAsync();
        }

        private async Task<V1.DesiredAttempt> RunAsync(string name)
        {
            await using var client = Controller.Client();
            var job = await client.SubmitAsync(new JobRequest { Name = name, Entrypoint = JobEntrypoint.Command("true") });
            var attempt = await _worker!.WaitForAttemptAsync(job.Id.ToString());
            await _worker.RunningAsync(attempt.Fence);
            return attempt;
        }
    }
}
