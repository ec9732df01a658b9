using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Fluster.Cluster;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>One real controller, and everything that should not be sent to it: a clear answer, and nothing changes.</summary>
public sealed class ControllerEdgeTests(ControllerEdgeTests.Fixture fixture) : IClassFixture<ControllerEdgeTests.Fixture>
{
    private readonly ControllerProcess _controller = fixture.Controller;

    [Fact]
    public async Task BadRequests_AreRefusedWithASentence_AndChangeNothing()
    {
        using var channel = OpenChannel();
        var service = ControllerProcess.Service(channel);
        (Action<V1.LaunchJobRequest> Break, StatusCode Code, string Says)[] cases =
        [
            (request => request.Spec = null, StatusCode.InvalidArgument, "no spec"),
            (request => request.Spec.Name = "", StatusCode.InvalidArgument, "needs a name"),
            (request => request.Spec.Name = "a/b", StatusCode.InvalidArgument, "'/' separates"),
            (request => request.JobId = "other-12345678", StatusCode.InvalidArgument, "8 hexadecimal digits"),
            (request => request.JobId = "job-1234567", StatusCode.InvalidArgument, "8 hexadecimal digits"),
            (request => request.JobId = "job-12345678 ", StatusCode.InvalidArgument, "is not a job id"),
            (request => request.RequestId = "", StatusCode.InvalidArgument, "request id"),
            (request => request.Spec.Entrypoint = null, StatusCode.InvalidArgument, "no entrypoint"),
            (request => request.Spec.Entrypoint.Command.Argv.Clear(), StatusCode.InvalidArgument, "needs a program"),
            (request => request.Spec.Entrypoint.Command.Argv[0] = "", StatusCode.InvalidArgument, "needs a program"),
            (request => request.Spec.Entrypoint.Command.Argv.Add("\0"), StatusCode.InvalidArgument, "NUL"),
            (request => request.Spec.Entrypoint.Command.Argv.Add(new string('x', 5 << 20)), StatusCode.InvalidArgument, "4 MiB"),
            (request => request.Spec.Replicas = -1, StatusCode.InvalidArgument, "replicas is -1"),
            (request => request.Spec.Resources = new V1.ResourceSpec { CpuMillis = -1 }, StatusCode.InvalidArgument, "negative"),
            (request => request.Spec.Resources = new V1.ResourceSpec { Device = new V1.Device { Tpu = new V1.TpuDevice { Variant = "v9" } } }, StatusCode.InvalidArgument, "v9"),
            (request => request.Spec.Ports.AddRange(["a-b", "a_b"]), StatusCode.InvalidArgument, "would share the variable"),
            (request => request.Spec.Namespace = "not a namespace", StatusCode.InvalidArgument, "is not a namespace"),
            (request => request.Spec.Environment = new V1.JobEnvironment { Variables = { ["A=B"] = "" } }, StatusCode.InvalidArgument, "A=B"),
            (request => request.Spec.Entrypoint = DotnetOf(new string('0', 64)), StatusCode.FailedPrecondition, new string('0', 64)),
            (request => request.Spec.Entrypoint = DotnetOf("rubbish"), StatusCode.InvalidArgument, "SHA-256"),
            (request => request.JobId = "nobody-12345678/job", StatusCode.NotFound, "nobody-12345678"),
        ];
        foreach (var (breakIt, code, says) in cases)
        {
            var request = Launch();
            breakIt(request);
            var exception = await Assert.ThrowsAsync<RpcException>(async () => await service.LaunchJobAsync(request, _controller.Headers()));
            Assert.Equal((code, true), (exception.StatusCode, exception.Status.Detail.Contains(says, StringComparison.Ordinal)));
        }

        var known = await Assert.ThrowsAsync<RpcException>(async () => await service.GetJobStatusAsync(new V1.GetJobStatusRequest { JobId = "job-00000000" }, _controller.Headers()));
        Assert.Equal(StatusCode.NotFound, known.StatusCode);
    }

    [Fact]
    public async Task Json_OverHttp1_AnswersAsTheSameService()
    {
        using var http = new HttpClient { BaseAddress = new Uri(_controller.HttpAddress) };
        using var refused = await PostAsync(http, "GetClusterStatus", "{}");
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", _controller.AdminToken);
        using var launched = await PostAsync(http, "LaunchJob", """{"jobId":"job-12345678","requestId":"r","spec":{"name":"job","entrypoint":{"command":{"argv":["true"]}}}}""");
        using var unknown = await PostAsync(http, "GetJobStatus", """{"jobId":"jub-12345678"}""");

        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        Assert.Equal("JOB_STATE_PENDING", (await JsonOf(launched)).GetProperty("job").GetProperty("state").GetString());
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        Assert.Contains("did you mean 'job-12345678'?", (await JsonOf(unknown)).GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pages_NeedAToken_AndLivenessDoesNot()
    {
        using var http = new HttpClient { BaseAddress = new Uri(_controller.HttpAddress) };

        Assert.Equal("Healthy", await http.GetStringAsync("/alive"));
        Assert.Equal("Healthy", await http.GetStringAsync("/health"));
        foreach (var path in (string[])["/", "/index.html", "/metrics", "/alive/x"])
        {
            using var response = await http.GetAsync(path);
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        }

        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", _controller.AdminToken);
        using var absent = await http.GetAsync("/index.html");
        Assert.Equal(HttpStatusCode.NotFound, absent.StatusCode);
        Assert.Contains("epoch 1", await http.GetStringAsync("/"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Blob_LargerThanAMessage_TravelsInPieces_AndADamagedOneIsRefused()
    {
        using var channel = _controller.Channel();
        var service = ControllerProcess.Service(channel);
        var bytes = RandomNumberGenerator.GetBytes(20 << 20);
        var hash = Convert.ToHexStringLower(SHA256.HashData(bytes));

        var stored = await UploadAsync(service, hash, bytes);
        var missing = (await service.HasBlobsAsync(new V1.HasBlobsRequest { Hashes = { hash, new string('1', 64) } }, _controller.Headers())).Missing;
        var read = new MemoryStream();
        using (var call = service.GetBlob(new V1.GetBlobRequest { Hash = hash }, _controller.Headers()))
        {
            await foreach (var piece in call.ResponseStream.ReadAllAsync())
            {
                piece.Data.WriteTo(read);
            }
        }

        bytes[1]++;
        var damaged = await Assert.ThrowsAsync<RpcException>(() => UploadAsync(service, Convert.ToHexStringLower(SHA256.HashData("x"u8)), bytes));

        Assert.Equal(1, stored);
        Assert.Equal([new string('1', 64)], missing);
        Assert.Equal(hash, Convert.ToHexStringLower(SHA256.HashData(read.ToArray())));
        Assert.Equal(StatusCode.InvalidArgument, damaged.StatusCode);
    }

    [Fact]
    public async Task List_PagesFromTheNewest_AndFilters()
    {
        await using var client = _controller.Client(Namespace.Parse("list"));
        for (var i = 0; i < 5; i++)
        {
            await client.SubmitAsync(new JobRequest { Name = $"j{i}", Entrypoint = JobEntrypoint.Command("true") });
        }

        using var channel = _controller.Channel();
        var service = ControllerProcess.Service(channel);
        var names = new List<string>();
        var token = "";
        do
        {
            var page = await service.ListJobsAsync(new V1.ListJobsRequest { Namespace = "list", PageSize = 2, PageToken = token }, _controller.Headers());
            names.AddRange(page.Jobs.Select(job => job.Name));
            token = page.NextPageToken;
        }
        while (token.Length > 0);
        var newest = await service.TerminateJobAsync(new V1.TerminateJobRequest { JobId = "j4" }, _controller.Headers());
        var killed = await service.ListJobsAsync(new V1.ListJobsRequest { Namespace = "list", States = { V1.JobState.Killed } }, _controller.Headers());

        Assert.Equal(["j4", "j3", "j2", "j1", "j0"], names);
        Assert.Equal(V1.JobState.Killed, newest.Job.State);
        Assert.Equal("j4", Assert.Single(killed.Jobs).Name);
    }

    [Fact]
    public async Task JobOfAnotherNamespace_IsNotThereForAServiceToken()
    {
        await using var client = _controller.Client(Namespace.Parse("theirs"));
        var job = await client.SubmitAsync(new JobRequest { Name = "secret", Entrypoint = JobEntrypoint.Command("true") });
        using var channel = _controller.Channel();
        var service = ControllerProcess.Service(channel);
        var headers = _controller.Headers(_controller.Sign(new TokenClaims { Role = TokenRoles.Service, Namespace = "ours", ExpiresAt = 0 }));

        var hidden = await Assert.ThrowsAsync<RpcException>(async () => await service.GetJobStatusAsync(new V1.GetJobStatusRequest { JobId = job.Id.ToString() }, headers));
        var denied = await Assert.ThrowsAsync<RpcException>(async () => await service.ListJobsAsync(new V1.ListJobsRequest { Namespace = "theirs" }, headers));
        var foreign = Launch();
        foreign.Spec.Namespace = "theirs";
        var refused = await Assert.ThrowsAsync<RpcException>(async () => await service.LaunchJobAsync(foreign, headers));

        Assert.Equal(StatusCode.NotFound, hidden.StatusCode);
        Assert.DoesNotContain("secret-", hidden.Status.Detail.Replace(job.Id.ToString(), "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Equal(StatusCode.PermissionDenied, denied.StatusCode);
        Assert.Equal(StatusCode.PermissionDenied, refused.StatusCode);
    }

    // Without the limits of a well-behaved client.
    private GrpcChannel OpenChannel() => GrpcChannel.ForAddress(_controller.GrpcAddress, new GrpcChannelOptions { MaxSendMessageSize = null });

    private static V1.LaunchJobRequest Launch() => new()
    {
        JobId = "job-00000000",
        RequestId = "request",
        Spec = new V1.JobSpec { Name = "job", Entrypoint = new V1.Entrypoint { Command = new V1.CommandEntrypoint { Argv = { "true" } } } },
    };

    private static V1.Entrypoint DotnetOf(string bundle) => new()
    {
        Dotnet = new V1.DotnetEntrypoint
        {
            Bundle = new V1.BlobRef { Hash = bundle, Size = 1 },
            App = "App",
            Invocation = new V1.Payload { Inline = ByteString.CopyFromUtf8("{}") },
        },
    };

    private static async Task<HttpResponseMessage> PostAsync(HttpClient http, string rpc, string json)
    {
        using var content = new StringContent(json, Encoding.UTF8, "application/json");
        return await http.PostAsync($"/fluster.cluster.v1.ControllerService/{rpc}", content);
    }

    private static async Task<JsonElement> JsonOf(HttpResponseMessage response) => JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;

    private async Task<int> UploadAsync(V1.ControllerService.ControllerServiceClient service, string hash, byte[] bytes)
    {
        using var call = service.UploadBlobs(_controller.Headers());
        await call.RequestStream.WriteAsync(new V1.UploadBlobsRequest { Begin = new V1.BlobRef { Hash = hash, Size = bytes.Length } });
        foreach (var piece in bytes.Chunk(256 << 10))
        {
            await call.RequestStream.WriteAsync(new V1.UploadBlobsRequest { Data = ByteString.CopyFrom(piece) });
        }

        await call.RequestStream.CompleteAsync();
        return (await call.ResponseAsync).Stored;
    }

    public sealed class Fixture : IAsyncLifetime
    {
        private ControllerProcess? _controller;

        internal ControllerProcess Controller => _controller ?? throw new InvalidOperationException("Not started.");

        public async Task InitializeAsync() => _controller = await ControllerProcess.StartAsync();

        public async Task DisposeAsync() => await Controller.DisposeAsync();
    }
}
