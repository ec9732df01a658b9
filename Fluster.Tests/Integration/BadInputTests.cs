using System.Text;
using Fluster.Cluster;
using Fluster.Rpc;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>Whatever arrives at a controller: a clear answer, and nothing changed.</summary>
public sealed class BadInputTests(BadInputTests.Fixture fixture) : IClassFixture<BadInputTests.Fixture>
{
    private static readonly Dictionary<string, (V1.LaunchJobRequest Request, StatusCode Expected, string Word)> s_badLaunches = new(StringComparer.Ordinal)
    {
        ["no spec"] = (new V1.LaunchJobRequest { JobId = "a-00000000", RequestId = "r" }, StatusCode.InvalidArgument, "spec"),
        ["no argv"] = (Launch("a-00000000", new V1.Entrypoint { Command = new V1.CommandEntrypoint() }), StatusCode.InvalidArgument, "command"),
        ["no entrypoint"] = (Launch("a-00000000", null), StatusCode.InvalidArgument, "entrypoint"),
        ["empty id"] = (Launch("", Echo()), StatusCode.InvalidArgument, "id"),
        ["path in id"] = (Launch("../../etc", Echo()), StatusCode.InvalidArgument, "id"),
        ["argv too long"] = (Launch("a-00000000", Echo(new string('x', 4 * 1024 * 1024 + 1))), StatusCode.InvalidArgument, "4 MiB"),
        ["negative cpu"] = (Launch("a-00000000", Echo(), spec => spec.Resources = new V1.ResourceSpec { CpuMillis = -1 }), StatusCode.InvalidArgument, "resources"),
        ["negative replicas"] = (Launch("a-00000000", Echo(), spec => spec.Replicas = -3), StatusCode.InvalidArgument, "replicas"),
        ["image that leads elsewhere"] = (Launch("a-00000000", Echo(), spec => spec.Environment = new V1.JobEnvironment { Image = "a/../../containers/json" }), StatusCode.InvalidArgument, "image"),
        ["colliding ports"] = (Launch("a-00000000", Echo(), spec => spec.Ports.Add(["a-b", "a_b"])), StatusCode.InvalidArgument, "port"),
        ["bundle that was never uploaded"] = (
            Launch("a-00000000", Echo(), spec => spec.Environment = new V1.JobEnvironment { WorkingFiles = new V1.BlobRef { Hash = new string('a', 64), Size = 1 } }),
            StatusCode.FailedPrecondition, new string('a', 64)),
    };

    private ControllerProcess Controller => fixture.Controller;

    [Fact]
    public async Task Ports_RandomBytes_AnswerOrHangUpAndTheControllerLivesOn()
    {
        var before = await JobCountAsync();
        var random = new Random(20261121);
        string[] prefixes = ["", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "POST /fluster.cluster.v1.ControllerService/LaunchJob HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\r\n", "GET / HTTP/1.1\r\n"];
        foreach (var address in (string[])[Controller.GrpcAddress, Controller.HttpAddress])
        {
            for (var round = 0; round < 100; round++)
            {
                var bytes = new byte[random.Next(1, 4096)];
                random.NextBytes(bytes);
                await RawSocket.SendAsync(new Uri(address), [.. Encoding.ASCII.GetBytes(prefixes[round % prefixes.Length]), .. bytes], TimeSpan.FromSeconds(5));
            }
        }

        Assert.Equal(before, await JobCountAsync());
    }

    [Fact]
    public async Task Submit_EmptyCommand_IsRefusedBeforeAnyCall()
    {
        var before = await JobCountAsync();
        await using var client = Controller.Client();

        await Assert.ThrowsAnyAsync<ArgumentException>(() => client.SubmitAsync(new JobRequest { Name = "empty", Entrypoint = JobEntrypoint.Command() }));

        Assert.Equal(before, await JobCountAsync());
    }

    [Theory]
    [MemberData(nameof(BadLaunches))]
    public async Task Launch_ImpossibleRequest_IsRefusedInWordsAndMakesNoJob(string what)
    {
        var before = await JobCountAsync();
        var (request, expected, word) = s_badLaunches[what];
        using var channel = Unlimited();

        var refusal = await Assert.ThrowsAsync<RpcException>(async () => await ControllerProcess.Service(channel).LaunchJobAsync(request, Controller.Headers()));

        Assert.True(refusal.StatusCode == expected, $"{what}: {refusal.Status}");
        Assert.Contains(word, refusal.Status.Detail, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(before, await JobCountAsync());
    }

    public static TheoryData<string> BadLaunches() => [.. s_badLaunches.Keys];

    [Fact]
    public async Task Launch_MessageOverTheLimit_IsRefused()
    {
        var before = await JobCountAsync();
        using var channel = Unlimited();
        var request = Launch("a-00000000", Echo());
        request.Trace = new V1.TraceContext { Baggage = new string('x', 80 * 1024 * 1024) };

        var refusal = await Assert.ThrowsAsync<RpcException>(async () => await ControllerProcess.Service(channel).LaunchJobAsync(request, Controller.Headers()));

        Assert.Equal(StatusCode.ResourceExhausted, refusal.StatusCode);
        Assert.Equal(before, await JobCountAsync());
    }

    [Fact]
    public async Task Upload_DamagedBlob_IsRefusedAndNotKept()
    {
        using var channel = Controller.Channel();
        var service = ControllerProcess.Service(channel);
        var hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData("right"u8));
        using var upload = service.UploadBlobs(Controller.Headers());
        await upload.RequestStream.WriteAsync(new V1.UploadBlobsRequest { Begin = new V1.BlobRef { Hash = hash, Size = 5 } });
        await upload.RequestStream.WriteAsync(new V1.UploadBlobsRequest { Data = ByteString.CopyFromUtf8("wrong") });
        await upload.RequestStream.CompleteAsync();

        var refusal = await Assert.ThrowsAsync<RpcException>(async () => await upload);

        Assert.Equal(StatusCode.InvalidArgument, refusal.StatusCode);
        var missing = await service.HasBlobsAsync(new V1.HasBlobsRequest { Hashes = { hash } }, Controller.Headers());
        Assert.Equal([hash], missing.Missing);
    }

    [Fact]
    public async Task Upload_BlobAboveTheBundleLimit_IsRefusedByItsAnnouncement()
    {
        using var channel = Controller.Channel();
        using var upload = ControllerProcess.Service(channel).UploadBlobs(Controller.Headers());
        await upload.RequestStream.WriteAsync(new V1.UploadBlobsRequest { Begin = new V1.BlobRef { Hash = new string('a', 64), Size = (1L << 30) + 1 } });

        var refusal = await Assert.ThrowsAsync<RpcException>(async () => await upload);

        Assert.Equal(StatusCode.InvalidArgument, refusal.StatusCode);
        Assert.Contains("1073741824", refusal.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Status_UnknownJob_SaysSoWithNearNames()
    {
        await using var client = Controller.Client();
        var job = await client.SubmitAsync(new JobRequest { Name = "training", Entrypoint = JobEntrypoint.Command("true") });

        var refusal = await Assert.ThrowsAsync<ClusterException>(() => client.GetStatusAsync(JobId.Parse("trainign-" + job.Id.ToString()[^8..])));

        Assert.Equal(ClusterError.NotFound, refusal.Error);
        Assert.Contains(job.Id.ToString(), refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("2.0", StatusCode.FailedPrecondition)]
    [InlineData("nonsense", StatusCode.FailedPrecondition)]
    public async Task Call_OtherMajorProtocolVersion_IsRefusedNamingBoth(string version, StatusCode expected)
    {
        using var channel = Controller.Channel();
        var headers = new Metadata { { "authorization", $"Bearer {Controller.AdminToken}" }, { ProtocolVersion.Metadata, version } };

        var refusal = await Assert.ThrowsAsync<RpcException>(async () => await ControllerProcess.Service(channel).ListJobsAsync(new V1.ListJobsRequest(), headers));

        Assert.Equal(expected, refusal.StatusCode);
        Assert.Contains(version, refusal.Status.Detail, StringComparison.Ordinal);
        Assert.Contains(ProtocolVersion.Current, refusal.Status.Detail, StringComparison.Ordinal);
    }

    private static V1.Entrypoint Echo(string argument = "hi") => new() { Command = new V1.CommandEntrypoint { Argv = { "echo", argument } } };

    private static V1.LaunchJobRequest Launch(string id, V1.Entrypoint? entrypoint, Action<V1.JobSpec>? change = null)
    {
        var spec = new V1.JobSpec { Name = "a", Entrypoint = entrypoint };
        change?.Invoke(spec);
        return new V1.LaunchJobRequest { JobId = id, RequestId = Guid.NewGuid().ToString("N"), Spec = spec };
    }

    /// <summary>A client that sends what the controller is to refuse.</summary>
    private GrpcChannel Unlimited() => RpcChannel.ForAddress(new Uri(Controller.GrpcAddress), new RpcLimits { MaxMessageSize = int.MaxValue });

    private async Task<int> JobCountAsync()
    {
        using var channel = Controller.Channel();
        var list = await ControllerProcess.Service(channel).ListJobsAsync(new V1.ListJobsRequest { Namespace = "*" }, Controller.Headers());
        return list.Jobs.Count;
    }

    /// <summary>One controller for all of them: each leaves it as it was.</summary>
    public sealed class Fixture : IAsyncLifetime
    {
        private ControllerProcess? _controller;

        internal ControllerProcess Controller => _controller!;

        public async Task InitializeAsync() => _controller = await ControllerProcess.StartAsync();

        public async Task DisposeAsync() => await Controller.DisposeAsync();
    }
}
