using Fluster.Cluster;
using Grpc.Core;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>How long tokens count, how they are renewed, and how they are taken back.</summary>
public class TokenLifeTests
{
    [Fact]
    public async Task RevokedNamespace_RefusesItsOlderTokens_AlsoAfterARestart_AndTakesNewerOnes()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var worker = await FakeWorker.ConnectAsync(controller);
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        var team = ServiceToken(controller, "team");
        var other = ServiceToken(controller, "other");
        var job = await LaunchAsync(service, controller.Headers(team));
        var attempt = await worker.WaitForAttemptAsync(job);
        await worker.RunningAsync(attempt.Fence);
        await ListAsync(service, controller.Headers(attempt.Spec.Token));

        var answer = await service.RevokeNamespaceAsync(new V1.RevokeNamespaceRequest { Namespace = "team" }, controller.Headers());

        await RefusedAsync(service, controller.Headers(team));
        await RefusedAsync(service, controller.Headers(attempt.Spec.Token));
        await ListAsync(service, controller.Headers(other));
        await ListAsync(service, controller.Headers());
        await controller.KillAsync();
        await controller.StartAsync();
        await RefusedAsync(service, controller.Headers(team));
        await ListAsync(service, controller.Headers(ServiceToken(controller, "team", answer.IssuedBefore.ToDateTimeOffset())));
    }

    [Fact]
    public async Task RenewToken_OfALiveAttempt_GivesADay_AndNothingAfterItsEnd()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var worker = await FakeWorker.ConnectAsync(controller);
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        var attempt = await worker.WaitForAttemptAsync(await LaunchAsync(service, controller.Headers()));
        await worker.RunningAsync(attempt.Fence);

        var renewed = await service.RenewTokenAsync(new V1.RenewTokenRequest(), controller.Headers(attempt.Spec.Token));
        await ListAsync(service, controller.Headers(renewed.Token));
        var admin = await Assert.ThrowsAsync<RpcException>(async () => await service.RenewTokenAsync(new V1.RenewTokenRequest(), controller.Headers()));
        await worker.ExitedAsync(attempt.Fence, 0);
        await worker.WaitForAcknowledgementAsync(attempt.Fence);
        var ended = await Assert.ThrowsAsync<RpcException>(async () => await service.RenewTokenAsync(new V1.RenewTokenRequest(), controller.Headers(renewed.Token)));

        var left = renewed.ExpiresAt.ToDateTimeOffset() - TimeProvider.System.GetUtcNow();
        Assert.InRange(left, TimeSpan.FromHours(23.9), TimeSpan.FromHours(24));
        Assert.Equal((StatusCode.PermissionDenied, StatusCode.Unauthenticated), (admin.StatusCode, ended.StatusCode));
        Assert.Contains("it has ended", ended.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ClientOfAJob_RenewsItsTokenByItself_AfterHalfOfItsLife()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var worker = await FakeWorker.ConnectAsync(controller);
        using var channel = controller.Channel();
        var attempt = await worker.WaitForAttemptAsync(await LaunchAsync(ControllerProcess.Service(channel), controller.Headers()));
        await worker.RunningAsync(attempt.Fence);
        var old = controller.Sign(TokenClaims.ReadUnchecked(attempt.Spec.Token)!, TimeSpan.FromMinutes(2), TimeProvider.System.GetUtcNow() - TimeSpan.FromMinutes(1.5));

        await using var client = new FlusterClient(new FlusterClientOptions { Address = controller.GrpcAddress, Token = old });

        await Eventually.True(() => client.Token != old, () => controller.Process.Output);
        var claims = TokenClaims.ReadUnchecked(client.Token!)!;
        Assert.Equal((attempt.Fence, TokenRoles.Job), (claims.Fence, claims.Role));
        Assert.True(claims.ExpiresAt > TimeProvider.System.GetUtcNow().AddHours(23).ToUnixTimeSeconds());
        Assert.Single(await client.ListAsync(new JobFilter()).ToListAsync());
    }

    [Fact]
    public async Task ExpiredToken_IsRefusedInWords()
    {
        await using var controller = await ControllerProcess.StartAsync();
        using var channel = controller.Channel();
        var expired = controller.Sign(new TokenClaims { Role = TokenRoles.Admin, Namespace = "default", ExpiresAt = 0 }, TimeSpan.FromMinutes(-2));

        var refusal = await Assert.ThrowsAsync<RpcException>(() => ListAsync(ControllerProcess.Service(channel), controller.Headers(expired)));

        Assert.Equal((StatusCode.Unauthenticated, "The token has expired."), (refusal.StatusCode, refusal.Status.Detail));
    }

    [Fact]
    public async Task WorkerToken_IsRenewedOverTheOpenLink()
    {
        await using var controller = await ControllerProcess.StartAsync(new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["Fluster__Controller__WorkerTokenLifetime"] = "00:00:03",
        });
        await using var worker = await FakeWorker.ConnectAsync(controller);

        await Eventually.True(() => worker.Renewals.Count >= 2, () => $"{worker.Renewals.Count} renewals. {worker.Ended}");

        using var key = ClusterKey.Parse(controller.ClusterKeyPem);
        foreach (var token in worker.Renewals)
        {
            var claims = key.Verify(token, TimeProvider.System.GetUtcNow(), out var problem);
            Assert.True(claims is { Role: TokenRoles.Worker, Worker: "w1" } && claims.ExpiresAt - claims.IssuedAt == 3, problem);
        }
    }

    private static string ServiceToken(ControllerProcess controller, string @namespace, DateTimeOffset? issuedAt = null) =>
        controller.Sign(new TokenClaims { Role = TokenRoles.Service, Namespace = @namespace, ExpiresAt = 0 }, issuedAt: issuedAt);

    private static async Task<string> LaunchAsync(V1.ControllerService.ControllerServiceClient service, Metadata headers)
    {
        var response = await service.LaunchJobAsync(
            new V1.LaunchJobRequest
            {
                JobId = "job-00000001",
                RequestId = "r",
                Spec = new V1.JobSpec { Name = "job", Entrypoint = new V1.Entrypoint { Command = new V1.CommandEntrypoint { Argv = { "true" } } } },
            },
            headers);
        return response.Job.JobId;
    }

    private static async Task ListAsync(V1.ControllerService.ControllerServiceClient service, Metadata headers) => await service.ListJobsAsync(new V1.ListJobsRequest(), headers);

    private static async Task RefusedAsync(V1.ControllerService.ControllerServiceClient service, Metadata headers)
    {
        var refusal = await Assert.ThrowsAsync<RpcException>(() => ListAsync(service, headers));
        Assert.Equal(StatusCode.Unauthenticated, refusal.StatusCode);
        Assert.Contains("The tokens of namespace 'team' that were issued before", refusal.Status.Detail, StringComparison.Ordinal);
    }
}
