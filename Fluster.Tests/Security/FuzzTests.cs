using System.Collections.Concurrent;
using System.Text;
using Fluster.Actors;
using Fluster.Cluster;
using Fluster.Rpc;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Net.Client;
using Xunit.Abstractions;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>
/// Whatever is sent to any RPC or port: no crash, no hang, no fault that a caller can cause, and nothing changes for a caller without a valid
/// token. 10,000 messages for each in the full run; the seed is printed.
/// </summary>
public sealed class FuzzTests(ITestOutputHelper output)
{
    private const int AtOnce = 32;

    // A damaged message is refused by the library before any of our code sees it, as a fault.
    private const string Unreadable = "Exception was thrown by handler.";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    /// <summary>A server's stream may stay open for as long as its client likes: a moment of it is enough.</summary>
    private static readonly TimeSpan s_streamPatience = TimeSpan.FromMilliseconds(250);

    /// <summary>How often somebody calls is not what this is about.</summary>
    private static readonly Dictionary<string, string?> s_unlimited = new(StringComparer.Ordinal)
    {
        ["Fluster__Controller__CallsPerSecond"] = "0",
        ["Fluster__Controller__JobCallsPerSecond"] = "0",
        ["Fluster__Controller__FailedCallsPerSecond"] = "0",
    };

    private readonly int _seed = TestSeed.New();

    [Fact]
    public async Task Controller_MessagesWithoutAValidToken_AreRefusedAndChangeNothing()
    {
        await using var controller = await ControllerProcess.StartAsync(s_unlimited);
        await using var worker = await FakeWorker.ConnectAsync(controller);
        var words = await FillAsync(controller, worker);
        using var stranger = ClusterKey.Create();
        using var channel = OpenChannel(controller.GrpcAddress);
        var before = await SnapshotAsync(controller);
        string?[] tokens =
        [
            null, "", "garbage", "a.b.c", controller.AdminToken[..^3], controller.AdminToken + "A",
            stranger.Sign(new TokenClaims { Role = TokenRoles.Admin, Namespace = "default", ExpiresAt = long.MaxValue / 2 }),
            controller.Sign(new TokenClaims { Role = TokenRoles.Admin, Namespace = "default", ExpiresAt = 0 }, TimeSpan.FromHours(-1)),
        ];
        var wrong = new ConcurrentBag<string>();

        foreach (var method in Methods().Where(method => RawRpc.PathOf(method) != "/grpc.health.v1.Health/Check"))
        {
            await SendManyAsync(TestScale.Of(150, 10_000), method, words, async (messages, random) =>
            {
                var token = tokens[random.Next(tokens.Length)];
                var answer = await RawRpc.CallAsync(channel, method, messages, token is null ? [] : new Metadata { { "authorization", "Bearer " + token } }, s_patience);
                if (answer.Status.StatusCode != StatusCode.Unauthenticated || answer.Messages.Count > 0)
                {
                    wrong.Add($"{method.FullName}: {answer.Status}");
                }
            });
        }

        Assert.Empty(wrong);
        Assert.Equal(before, await SnapshotAsync(controller));
    }

    [Fact]
    public async Task Controller_MessagesOfEveryRole_AreAnsweredAndNeverAFault()
    {
        await using var controller = await ControllerProcess.StartAsync(s_unlimited);
        await using var worker = await FakeWorker.ConnectAsync(controller);
        var words = await FillAsync(controller, worker);
        using var channel = OpenChannel(controller.GrpcAddress);
        var attempt = worker.Desired.Values.First();
        string[] tokens =
        [
            controller.AdminToken, attempt.Spec.Token, controller.WorkerToken("w7"),
            controller.Sign(new TokenClaims { Role = TokenRoles.Service, Namespace = "team", ExpiresAt = 0 }),
        ];
        var wrong = new ConcurrentBag<string>();

        // Revocations last: after them the tokens above are worth less.
        foreach (var method in Methods().OrderBy(method => method.Name == "RevokeNamespace"))
        {
            await SendManyAsync(TestScale.Of(150, 10_000), method, words, async (messages, random) =>
            {
                var answer = await RawRpc.CallAsync(
                    channel, method, messages, controller.Headers(tokens[random.Next(tokens.Length)]), method.IsServerStreaming && !method.IsClientStreaming ? s_streamPatience : s_patience);
                if (IsWrong(answer, method, messages))
                {
                    wrong.Add($"{method.FullName}: {answer.Status} for {string.Join(' ', messages.Select(Convert.ToHexString))}");
                }
            });
        }

        Assert.Empty(wrong.Take(10));
        Assert.DoesNotContain("A rule failed on", controller.Process.Output, StringComparison.Ordinal);

        // It lives, takes work, and can read what it wrote down.
        await using var client = controller.Client();
        var job = await client.SubmitAsync(new JobRequest { Name = "after", Entrypoint = JobEntrypoint.Command("true") });
        await controller.KillAsync();
        await controller.StartAsync();
        Assert.Equal("after", (await client.GetStatusAsync(job.Id)).Name);
    }

    [Fact]
    public async Task ActorServer_Messages_AreAnsweredAndNeverAFault()
    {
        var actor = new Counter();
        await using var server = new ActorServer(new ActorServerOptions { Announcements = TextWriter.Null });
        server.Register("counter", actor);
        await server.StartAsync();
        using var channel = OpenChannel(server.Address.ToString());
        var words = (string[])["counter", "Add", "[1]", "[\"x\"]", "{\"amount\":3}", "{", "[[[[[[[[", "null"];
        var wrong = new ConcurrentBag<string>();
        foreach (var method in RawRpc.Methods(Actors.V1.ActorService.Descriptor))
        {
            await SendManyAsync(TestScale.Of(300, 10_000), method, words, async (messages, random) =>
            {
                var refused = await RawRpc.CallAsync(channel, method, messages, new Metadata { { "authorization", "Bearer x" } }, s_patience);
                if (refused.Status.StatusCode != StatusCode.Unauthenticated)
                {
                    wrong.Add($"{method.FullName}: {refused.Status}");
                }
            });
            Assert.Equal(0, actor.Sum);
        }

        foreach (var method in RawRpc.Methods(Actors.V1.ActorService.Descriptor))
        {
            await SendManyAsync(TestScale.Of(300, 10_000), method, words, async (messages, random) =>
            {
                var answer = await RawRpc.CallAsync(channel, method, messages, new Metadata { { "authorization", "Bearer " + server.Token } }, s_patience);
                if (IsWrong(answer, method, messages))
                {
                    wrong.Add($"{method.FullName}: {answer.Status} for {string.Join(' ', messages.Select(Convert.ToHexString))}");
                }
            });
        }

        Assert.Empty(wrong.Take(10));
    }

    [Fact]
    public async Task EveryPort_AnyBytes_AreAnsweredOrHungUpOn_AndChangeNothing()
    {
        await using var controller = await ControllerProcess.StartAsync(s_unlimited);
        await using var worker = await FakeWorker.ConnectAsync(controller);
        await FillAsync(controller, worker);
        await using var server = new ActorServer(new ActorServerOptions { Announcements = TextWriter.Null });
        await server.StartAsync();
        var before = await SnapshotAsync(controller);

        foreach (var address in (Uri[])[new(controller.GrpcAddress), new(controller.HttpAddress), server.Address])
        {
            output.WriteLine($"{address}: seed {_seed}");
            await Parallel.ForEachAsync(Enumerable.Range(0, TestScale.Of(200, 10_000)), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (round, _) =>
                await RawSocket.SendAsync(address, Bytes(new Random(unchecked(_seed + round))), s_patience));
        }

        Assert.Equal(before, await SnapshotAsync(controller));
    }

    private static IReadOnlyList<MethodDescriptor> Methods() =>
        RawRpc.Methods(V1.ControllerService.Descriptor, global::Grpc.Health.V1.Health.Descriptor, global::Grpc.Reflection.V1Alpha.ServerReflection.Descriptor);

    private static bool IsWrong(RawAnswer answer, MethodDescriptor method, byte[][] messages) => answer.Status.StatusCode switch
    {
        StatusCode.Unknown or StatusCode.Internal => !answer.Status.Detail.StartsWith(Unreadable, StringComparison.Ordinal) || messages.All(message => CanBeRead(method, message)),
        StatusCode.DeadlineExceeded => !method.IsServerStreaming || method.IsClientStreaming,
        StatusCode.Unavailable => true,
        _ => false,
    };

    private static bool CanBeRead(MethodDescriptor method, byte[] message)
    {
        try
        {
            method.InputType.Parser.ParseFrom(message);
            return true;
        }
        catch (InvalidProtocolBufferException)
        {
            return false;
        }
    }

    private async Task SendManyAsync(int count, MethodDescriptor method, IReadOnlyList<string> words, Func<byte[][], Random, Task> send)
    {
        output.WriteLine($"{method.FullName}: {count} messages, seed {_seed}");
        await Parallel.ForEachAsync(Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (round, _) =>
        {
            var random = new Random(unchecked(_seed + round));
            var fuzzer = new MessageFuzzer(random, words);
            var messages = Enumerable.Range(0, method.IsClientStreaming ? random.Next(1, 5) : 1).Select(_ => fuzzer.Bytes(method.InputType)).ToArray();
            await send(messages, random);
        });
    }

    private static byte[] Bytes(Random random)
    {
        string[] beginnings =
        [
            "", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "GET / HTTP/1.1\r\n", "GET /alive HTTP/1.1\r\nHost: x\r\n\r\n",
            "POST /fluster.cluster.v1.ControllerService/LaunchJob HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n",
            "POST /fluster.cluster.v1.ControllerService/AdoptWorkers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nAuthorization: Bearer x\r\n\r\n", "\x16\x03\x01\x02\0\x01\0",
        ];
        var bytes = new byte[random.Next(1, 2048)];
        random.NextBytes(bytes);
        return [.. Encoding.Latin1.GetBytes(beginnings[random.Next(beginnings.Length)]), .. bytes];
    }

    private static GrpcChannel OpenChannel(string address) => RpcChannel.ForAddress(new Uri(address), new RpcLimits { MaxMessageSize = 64 << 20 });

    /// <summary>Gives the controller something to lose: jobs, a live attempt, an endpoint, a blob. Returns their names.</summary>
    private static async Task<IReadOnlyList<string>> FillAsync(ControllerProcess controller, FakeWorker worker)
    {
        await using var client = controller.Client();
        var running = await client.SubmitAsync(new JobRequest { Name = "running", Entrypoint = JobEntrypoint.Command("true") });
        var attempt = await worker.WaitForAttemptAsync(running.Id.ToString());
        await worker.RunningAsync(attempt.Fence);
        await Eventually.True(async () => (await client.GetStatusAsync(running.Id)).State == JobState.Running, () => "It does not run.");
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        await service.RegisterEndpointAsync(
            new V1.RegisterEndpointRequest { Endpoint = new V1.Endpoint { EndpointId = "e1", Name = "greeter", Address = "127.0.0.1:1" } }, controller.Headers(attempt.Spec.Token));
        using var upload = service.UploadBlobs(controller.Headers());
        var hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData("blob"u8));
        await upload.RequestStream.WriteAsync(new V1.UploadBlobsRequest { Begin = new V1.BlobRef { Hash = hash, Size = 4 } });
        await upload.RequestStream.WriteAsync(new V1.UploadBlobsRequest { Data = ByteString.CopyFromUtf8("blob") });
        await upload.RequestStream.CompleteAsync();
        await upload;
        return [running.Id.ToString(), $"{running.Id}/child", "running", "job", "job-00000001", "team", "default", "w1", "w7", "e1", "greeter", hash, worker.Welcome.ClusterId, "true"];
    }

    /// <summary>All that can be read of a controller, but for what time alone changes.</summary>
    private static async Task<string> SnapshotAsync(ControllerProcess controller)
    {
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        var headers = controller.Headers();
        var jobs = await service.ListJobsAsync(new V1.ListJobsRequest { Namespace = "*", PageSize = 1000 }, headers);
        var workers = await service.ListWorkersAsync(new V1.ListWorkersRequest(), headers);
        foreach (var worker in workers.Workers)
        {
            worker.LastHeardAt = null;
        }

        var endpoints = await service.ListEndpointsAsync(new V1.ListEndpointsRequest(), headers);
        var status = await service.GetClusterStatusAsync(new V1.GetClusterStatusRequest(), headers);
        (status.Uptime, status.StartedAt) = (null, null);
        var files = Directory.EnumerateFiles(controller.DataDirectory, "*", SearchOption.AllDirectories)
            .Where(file => !Path.GetFileName(file).StartsWith("state.db", StringComparison.Ordinal)).Order(StringComparer.Ordinal);
        return string.Join('\n', [jobs.ToString(), workers.ToString(), endpoints.ToString(), status.ToString(), .. files]);
    }

    private sealed class Counter
    {
        private int _sum;

        public int Sum => _sum;

        public int Add(int amount) => Interlocked.Add(ref _sum, amount);
    }
}

/// <summary>A seed of this run; a failing one can be given back.</summary>
internal static class TestSeed
{
#pragma warning disable RS0030 // Tests have no configuration of their own.
    public static int New() => int.TryParse(Environment.GetEnvironmentVariable("FLUSTER_TESTS_SEED"), out var seed) ? seed : Random.Shared.Next();
#pragma warning restore RS0030
}
