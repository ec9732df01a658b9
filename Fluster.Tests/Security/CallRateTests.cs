using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Fluster.Cluster;
using Fluster.Controller;
using Grpc.Core;
using Microsoft.Extensions.Options;
using Xunit.Abstractions;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>Who calls too often is refused, says why, and takes nothing from others.</summary>
public sealed class CallRateTests(ITestOutputHelper output)
{
    private static readonly Dictionary<string, string?> s_few = new(StringComparer.Ordinal)
    {
        ["Fluster__Controller__CallsPerSecond"] = "20",
        ["Fluster__Controller__JobCallsPerSecond"] = "3",
        ["Fluster__Controller__FailedCallsPerSecond"] = "3",
    };

    [Fact]
    public async Task Worker_ThatCallsTooOften_IsRefusedByName_AndOthersAreNot()
    {
        await using var controller = await ControllerProcess.StartAsync(s_few);
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);

        var refusal = await RefusalAsync(() => HasBlobsAsync("w1"));

        Assert.Equal("More than 3 calls a second by worker 'w1' (Fluster:Controller:JobCallsPerSecond): try again in a moment.", refusal.Status.Detail);
        Assert.NotNull(refusal.Trailers.Get("grpc-retry-pushback-ms"));
        await HasBlobsAsync("w2");
        await service.GetClusterStatusAsync(new V1.GetClusterStatusRequest(), controller.Headers());
        await Eventually.True(async () => await TryAsync(() => HasBlobsAsync("w1")) is null, () => "w1 may call again");

        Task HasBlobsAsync(string worker) => service.HasBlobsAsync(new V1.HasBlobsRequest(), controller.Headers(controller.WorkerToken(worker))).ResponseAsync;
    }

    [Fact]
    public async Task Client_ThatIsRefused_TriesAgainUntilItsCallIsTaken()
    {
        await using var controller = await ControllerProcess.StartAsync(s_few);
        await using var client = controller.Client();
        var started = TimeProvider.System.GetTimestamp();

        await Task.WhenAll(Enumerable.Range(0, 60).Select(async _ => await client.ListAsync().ToListAsync()));

        Assert.True(TimeProvider.System.GetElapsedTime(started) > TimeSpan.FromSeconds(1), "60 calls at 20 a second, of which 20 are there at once, take 2 s");
    }

    [Fact]
    public async Task TokensThatAreNone_AreNotLookedAtWhenThereAreTooMany_AndThoseThatAreKnownStillCount()
    {
        await using var controller = await ControllerProcess.StartAsync(s_few);
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        var good = controller.Headers();
        await service.GetClusterStatusAsync(new V1.GetClusterStatusRequest(), good);
        using var stranger = ClusterKey.Create();
        var number = 0;

        Assert.Equal(StatusCode.Unauthenticated, (await TryAsync(ForgedAsync))!.StatusCode);
        var refusal = await RefusalAsync(ForgedAsync);
        Assert.Equal("More than 3 calls a second without a valid token from 127.0.0.1 (Fluster:Controller:FailedCallsPerSecond): try again in a moment.", refusal.Status.Detail);
        await service.GetClusterStatusAsync(new V1.GetClusterStatusRequest(), good);
        await Eventually.True(async () => (await TryAsync(ForgedAsync))!.StatusCode == StatusCode.Unauthenticated, () => "tokens are looked at again");

        using var http = new HttpClient { BaseAddress = new Uri(controller.HttpAddress) };
        await Eventually.True(async () => (await AskAsync(http)).StatusCode == HttpStatusCode.TooManyRequests, () => "the pages are behind the same gate");

        Task ForgedAsync() => service.GetClusterStatusAsync(new V1.GetClusterStatusRequest(), controller.Headers(Forge())).ResponseAsync;

        string Forge() => stranger.Sign(new TokenClaims { Role = TokenRoles.Admin, Namespace = $"n{number++}", ExpiresAt = TimeProvider.System.GetUtcNow().AddHours(1).ToUnixTimeSeconds() });

        async Task<HttpResponseMessage> AskAsync(HttpClient client)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/fluster.cluster.v1.ControllerService/GetClusterStatus") { Content = new StringContent("{}", Encoding.UTF8, "application/json") };
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Forge());
            return await client.SendAsync(request);
        }
    }

    [Fact]
    public void Counting_ACall_CostsLittle()
    {
        const int Calls = 200_000;
        using var rates = new CallRates(Options.Create(new ControllerOptions { CallsPerSecond = 1_000_000_000 }));
        var caller = new Caller(new TokenClaims { Role = TokenRoles.Service, Namespace = "team", ExpiresAt = 0 });
        Assert.Null(rates.Refusal(caller));

        var watch = Stopwatch.StartNew();
        for (var i = 0; i < Calls; i++)
        {
            rates.Refusal(caller);
        }

        var each = watch.Elapsed / Calls;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{each.TotalNanoseconds:0} ns a call"));
        Assert.True(each < TimeSpan.FromMicroseconds(20), $"{each}"); // a fraction of one; this machine may be busy
    }

    [Fact]
    public void Limit_BelowZero_IsNamed()
    {
        var result = new ControllerOptionsRules().Validate(null, new ControllerOptions { JobCallsPerSecond = -1 });

        Assert.Equal("Fluster:Controller:JobCallsPerSecond is -1: it is a number of calls, or 0 for no limit.", Assert.Single(result.Failures!));
    }

    /// <summary>Calls until it is too often.</summary>
    private static async Task<RpcException> RefusalAsync(Func<Task> call)
    {
        for (var i = 0; i < 1000; i++)
        {
            if (await TryAsync(call) is { StatusCode: StatusCode.ResourceExhausted } refusal)
            {
                return refusal;
            }
        }

        throw new InvalidOperationException("It was never too often.");
    }

    private static async Task<RpcException?> TryAsync(Func<Task> call)
    {
        try
        {
            await call();
            return null;
        }
        catch (RpcException exception)
        {
            return exception;
        }
    }
}
