using System.Diagnostics;
using Grpc.Core;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>Full and failing disks under a real controller: it refuses or ends, says so, and has everything that it acknowledged when it comes back.</summary>
public class StoreFaultTests
{
    /// <summary>More than fits on any disk used here.</summary>
    private const int MostSubmits = 2_000;

    [SmallDiskFact]
    public async Task FullDisk_RefusesWhatItCannotWrite_GoesOnWhenThereIsRoom_AndLosesNothing()
    {
        using var disk = new SmallDisk(megabytes: 16);
        await using var controller = await StartAsync(disk);
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);

        var (acknowledged, refusal) = await SubmitUntilRefusedAsync(service, controller);
        await service.GetClusterStatusAsync(new V1.GetClusterStatusRequest(), controller.Headers());
        disk.Resize(megabytes: 64);
        var later = await SubmitAsync(service, controller);
        await controller.KillAsync();
        await controller.StartAsync();
        var kept = await ListAsync(service, controller);

        Assert.Equal(StatusCode.Unavailable, refusal.StatusCode);
        Assert.Contains("disk is full", refusal.Status.Detail, StringComparison.Ordinal);
        Assert.NotEmpty(acknowledged);
        Assert.Equal([.. acknowledged, later], kept);
    }

    [SmallDiskFact]
    public async Task FullDisk_AtTheStart_IsSaidInOneLine_AndNothingIsLost()
    {
        using var disk = new SmallDisk(megabytes: 16);
        await using var controller = await StartAsync(disk);
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        var job = await SubmitAsync(service, controller);
        await controller.KillAsync();
        disk.Fill();

        var failed = await Assert.ThrowsAsync<InvalidOperationException>(controller.StartAsync);
        File.Delete(Path.Combine(disk.Path, "filler"));
        await controller.KillAsync();
        await controller.StartAsync();

        Assert.Contains("The controller cannot start: ", failed.Message, StringComparison.Ordinal);
        Assert.Contains(disk.Path, failed.Message, StringComparison.Ordinal);
        Assert.Equal([job], await ListAsync(service, controller));
    }

    [SmallDiskFact]
    public async Task FailingDisk_EndsTheController_WhichHasWhatItAcknowledgedWhenItIsBack()
    {
        await using var controller = await ControllerProcess.StartAsync();
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        await SubmitAsync(service, controller);

        // From here on, every write past this place in any file fails, in the middle of a transaction.
        using (var limit = Process.Start("prlimit", ["--pid", $"{controller.Process.Id}", "--fsize=4000000"]))
        {
            await limit.WaitForExitAsync();
        }

        var (acknowledged, _) = await SubmitUntilRefusedAsync(service, controller);
        await controller.Process.WaitForExitAsync(TimeSpan.FromSeconds(30));
        var said = controller.Process.Output;
        await controller.KillAsync();
        await controller.StartAsync();
        var kept = await ListAsync(service, controller);

        Assert.Contains("The controller ends: ", said, StringComparison.Ordinal);
        Assert.Contains("state.db' could not be written", said, StringComparison.Ordinal);
        Assert.NotEmpty(acknowledged);
        Assert.Empty(acknowledged.Except(kept));
    }

    private static Task<ControllerProcess> StartAsync(SmallDisk disk) => ControllerProcess.StartAsync(new Dictionary<string, string?>(StringComparer.Ordinal)
    {
        ["Fluster__Controller__DataDirectory"] = Path.Combine(disk.Path, "data"),
        ["Fluster__Controller__DiskReserve"] = "0",
    });

    private static async Task<(List<string> Acknowledged, RpcException Refusal)> SubmitUntilRefusedAsync(V1.ControllerService.ControllerServiceClient service, ControllerProcess controller)
    {
        var acknowledged = (await ListAsync(service, controller)).ToList();
        for (var i = 0; i < MostSubmits; i++)
        {
            try
            {
                acknowledged.Add(await SubmitAsync(service, controller));
            }
            catch (RpcException exception)
            {
                return (acknowledged, exception);
            }
        }

        throw new InvalidOperationException("The disk was never full.");
    }

    private static async Task<string> SubmitAsync(V1.ControllerService.ControllerServiceClient service, ControllerProcess controller)
    {
        var request = new V1.LaunchJobRequest
        {
            JobId = $"job-{Guid.NewGuid().ToString("N")[..8]}",
            RequestId = Guid.NewGuid().ToString("N"),
            Spec = new V1.JobSpec
            {
                Name = "job",
                Entrypoint = new V1.Entrypoint { Command = new V1.CommandEntrypoint { Argv = { "true", new string('x', 100_000) } } },
            },
        };
        return (await service.LaunchJobAsync(request, controller.Headers())).Job.JobId;
    }

    /// <summary>The ids of all jobs, oldest first.</summary>
    private static async Task<IEnumerable<string>> ListAsync(V1.ControllerService.ControllerServiceClient service, ControllerProcess controller)
    {
        var response = await service.ListJobsAsync(new V1.ListJobsRequest { PageSize = 1000 }, controller.Headers());
        return response.Jobs.Select(job => job.JobId).Reverse();
    }
}
