using System.Runtime.Versioning;
using Fluster.Cluster;
using Grpc.Core;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>A controller takes over workers that know more than it does, or another cluster, only when it is told to.</summary>
[SupportedOSPlatform("linux")]
public class AdoptionTests
{
    private static readonly string s_other = new('c', 32);

    [Fact]
    public async Task WorkerOfALaterState_IsRefusedUntilItIsAdopted_AndFencesGoOnAboveItsOwn()
    {
        await using var controller = await ControllerProcess.StartAsync();
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        var status = await service.GetClusterStatusAsync(new V1.GetClusterStatusRequest(), controller.Headers());
        Task<FakeWorker> ConnectAsync() => FakeWorker.ConnectAsync(controller, configure: hello =>
        {
            (hello.ClusterId, hello.Epoch) = (status.ClusterId, 6);
            hello.Holdings.Add(new V1.AttemptObservation { Fence = Fence.Of(6, 77).Value, Phase = V1.AttemptPhase.Running });
        });

        var refusal = await Assert.ThrowsAsync<RpcException>(ConnectAsync);
        var adopted = await service.AdoptWorkersAsync(new V1.AdoptWorkersRequest(), controller.Headers());
        await using var worker = await ConnectAsync();
        var job = await service.LaunchJobAsync(
            new V1.LaunchJobRequest
            {
                JobId = "job-00000001",
                RequestId = "r",
                Spec = new V1.JobSpec { Name = "job", Entrypoint = new V1.Entrypoint { Command = new V1.CommandEntrypoint { Argv = { "true" } } } },
            },
            controller.Headers());
        var attempt = await worker.WaitForAttemptAsync(job.Job.JobId);

        Assert.Equal(StatusCode.FailedPrecondition, refusal.StatusCode);
        Assert.Contains("epoch 6", refusal.Status.Detail, StringComparison.Ordinal);
        Assert.Contains("fluster cluster adopt", refusal.Status.Detail, StringComparison.Ordinal);
        Assert.Equal((7, "w1"), (adopted.Epoch, Assert.Single(adopted.Adopted).WorkerId));
        Assert.Equal((7, 78), (new Fence(attempt.Fence).Epoch, new Fence(attempt.Fence).Counter));
        await worker.WaitForSupersededAsync(Fence.Of(6, 77).Value);
    }

    [Fact]
    public async Task WorkerThatHoldsAnAttemptWhichWasNeverMade_IsRefused()
    {
        await using var controller = await ControllerProcess.StartAsync();
        using var channel = controller.Channel();
        var status = await ControllerProcess.Service(channel).GetClusterStatusAsync(new V1.GetClusterStatusRequest(), controller.Headers());

        var refusal = await Assert.ThrowsAsync<RpcException>(() => FakeWorker.ConnectAsync(controller, configure: hello =>
        {
            (hello.ClusterId, hello.Epoch) = (status.ClusterId, status.Epoch);
            hello.Holdings.Add(new V1.AttemptObservation { Fence = Fence.Of(1, 5).Value, Phase = V1.AttemptPhase.Running });
        }));

        Assert.Equal(StatusCode.FailedPrecondition, refusal.StatusCode);
        Assert.Contains("attempt number 5", refusal.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WorkerOfAnotherCluster_IsListedByAnAdoptionThatDoesNotNameIt()
    {
        await using var controller = await ControllerProcess.StartAsync();
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        Task<FakeWorker> ConnectAsync() => FakeWorker.ConnectAsync(controller, configure: hello => (hello.ClusterId, hello.Epoch) = (s_other, 3));

        await Assert.ThrowsAsync<RpcException>(ConnectAsync);
        var unnamed = await service.AdoptWorkersAsync(new V1.AdoptWorkersRequest(), controller.Headers());
        var stillRefused = await Assert.ThrowsAsync<RpcException>(ConnectAsync);
        var named = await service.AdoptWorkersAsync(new V1.AdoptWorkersRequest { ClusterId = s_other }, controller.Headers());
        await using var worker = await ConnectAsync();
        using var key = ClusterKey.Parse(controller.ClusterKeyPem);
        var claims = key.Verify(worker.Welcome.Adoption, TimeProvider.System.GetUtcNow(), out _);

        Assert.Empty(unnamed.Adopted);
        Assert.Equal(s_other, Assert.Single(unnamed.Refused).ClusterId);
        Assert.Equal(StatusCode.FailedPrecondition, stillRefused.StatusCode);
        Assert.Equal("w1", Assert.Single(named.Adopted).WorkerId);
        Assert.Equal((TokenRoles.Adoption, s_other, worker.Welcome.ClusterId, "w1"), (claims!.Role, claims.Subject, claims.Cluster, claims.Worker));
        Assert.True(worker.Welcome.Epoch > 3);
    }

    [Fact]
    public async Task EmptyDirectoryBehindTheSameAddress_KillsNothing_UntilTheCommandLineAdopts()
    {
        await using var cluster = await TestCluster.StartAsync();
        var worker = cluster.Workers[0];
        var before = await StatusAsync(cluster);
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash("echo started; exec sleep 55"));
        await foreach (var line in cluster.Client.StreamLogs(job.Id, new LogOptions { Follow = true }))
        {
            break;
        }

        await cluster.Controller.KillAsync();
        Directory.Delete(cluster.Controller.DataDirectory, recursive: true);
        await cluster.Controller.StartAsync();
        await Eventually.True(
            () => worker.Process.Output.Contains($"The worker belongs to cluster {before.ClusterId}", StringComparison.Ordinal), () => worker.Process.Output);
        Assert.True(Sleeps(worker), "The worker killed what the empty controller does not know.");

        using var directory = new TemporaryDirectory();
        var context = await CliProcess.WriteContextAsync(directory.Path, cluster.Controller.GrpcAddress, cluster.Controller.AdminToken);
        using var looks = CliProcess.Start(context, "cluster", "adopt");
        Assert.Equal(125, await looks.ExitAsync());
        Assert.Contains(before.ClusterId, looks.Error, StringComparison.Ordinal);
        Assert.True(Sleeps(worker));
        using var adopts = CliProcess.Start(context, "cluster", "adopt", before.ClusterId);
        Assert.Equal(0, await adopts.ExitAsync());
        Assert.Contains(worker.Id, adopts.Out, StringComparison.Ordinal);

        await cluster.WorkersConnectedAsync();
        await Eventually.True(() => !Sleeps(worker), () => "The attempt of the cluster that is gone still runs.");
        var again = await cluster.Client.SubmitAsync(TestCluster.Bash("exit 3"));
        Assert.Equal(3, (await cluster.Client.WaitAsync(again.Id)).ExitCode);
    }

    private static bool Sleeps(WorkerProcess worker) => Directory.EnumerateDirectories("/proc").Any(process =>
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline")).StartsWith("sleep\u000055\0", StringComparison.Ordinal)
                && File.ReadAllText(Path.Combine(process, "environ")).Contains(worker.WardId, StringComparison.Ordinal);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    });

    private static async Task<V1.GetClusterStatusResponse> StatusAsync(TestCluster cluster)
    {
        using var channel = cluster.Controller.Channel();
        return await ControllerProcess.Service(channel).GetClusterStatusAsync(new V1.GetClusterStatusRequest(), cluster.Controller.Headers());
    }
}
