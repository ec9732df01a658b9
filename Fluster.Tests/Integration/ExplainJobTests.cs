using System.Text.Json;
using Fluster.Cluster;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>What a job waits for, through the client and on the command line; devices on the way to a worker.</summary>
public sealed class ExplainJobTests : IAsyncLifetime
{
    private ControllerProcess _controller = null!;
    private FlusterClient _client = null!;

    public async Task InitializeAsync()
    {
        _controller = await ControllerProcess.StartAsync();
        _client = _controller.Client();
    }

    public async Task DisposeAsync()
    {
        await _client.DisposeAsync();
        await _controller.DisposeAsync();
    }

    [Fact]
    public async Task Explain_NamesTheHolder_InTheApiAndOnTheCommandLine()
    {
        await using var worker = await FakeWorker.ConnectAsync(_controller);
        var busy = await SubmitAsync("busy", new ResourceSpec { Cpu = 3 });
        await worker.WaitForAttemptAsync(busy.Id.ToString());
        var waits = await SubmitAsync("waits", new ResourceSpec { Cpu = 2 });

        var explanation = await _client.ExplainAsync(waits.Id);

        Assert.Equal(PendingCause.Resources, explanation.Cause);
        Assert.Equal($"It runs when {busy.Id} on w1 ends, or if you ask for at most 1 core, which w1 has free.", explanation.Change);
        Assert.Equal((busy.Id, "w1"), (Assert.Single(explanation.Holders).Job, explanation.Holders[0].Worker.ToString()));
        Assert.Equal(explanation.Reason, (await _client.GetStatusAsync(waits.Id)).PendingReason);

        using var directory = new TemporaryDirectory();
        var context = await CliProcess.WriteContextAsync(directory.Path, _controller.GrpcAddress, _controller.AdminToken);
        using var text = CliProcess.Start(context, "job", "explain", "waits");
        using var json = CliProcess.Start(context, "job", "explain", "waits", "--output", "json");
        Assert.Equal(0, await text.ExitAsync());
        Assert.Equal(0, await json.ExitAsync());
        Assert.Contains(explanation.Reason, text.Out, StringComparison.Ordinal);
        Assert.Contains(explanation.Change!, text.Out, StringComparison.Ordinal);
        using var document = JsonDocument.Parse(json.Out);
        Assert.Equal("Resources", document.RootElement.GetProperty("cause").GetString());
        Assert.Equal(busy.Id.ToString(), document.RootElement.GetProperty("holders")[0].GetProperty("job").GetString());
    }

    [Fact]
    public async Task Explain_WorkerGone_SaysSo()
    {
        await using (var worker = await FakeWorker.ConnectAsync(_controller, "gone"))
        {
        }

        var waits = await SubmitAsync("waits", new ResourceSpec());

        await Eventually.True(
            async () => (await _client.ExplainAsync(waits.Id)) is { Cause: PendingCause.Unavailable, Reason: "No worker is connected: gone is not connected." },
            () => "The worker counts as connected.");
    }

    [Fact]
    public async Task GpuIndices_ReachTheWorker()
    {
        await using var worker = await FakeWorker.ConnectAsync(_controller, configure: Gpus);
        var first = await SubmitAsync("first", new ResourceSpec { Device = new Device.Gpu("h100", 2) });
        var second = await SubmitAsync("second", new ResourceSpec { Device = new Device.Gpu("auto", 1) });

        Assert.Equal([0, 1], (await worker.WaitForAttemptAsync(first.Id.ToString())).Spec.GpuIndices);
        Assert.Equal([2], (await worker.WaitForAttemptAsync(second.Id.ToString())).Spec.GpuIndices);
    }

    private static void Gpus(V1.WorkerHello hello) =>
        hello.Capabilities.Capacity.Device = new V1.Device { Gpu = new V1.GpuDevice { Variant = "h100", Count = 4 } };

    private Task<JobHandle> SubmitAsync(string name, ResourceSpec resources) =>
        _client.SubmitAsync(new JobRequest { Name = name, Entrypoint = JobEntrypoint.Command("sleep", "60"), Resources = resources });
}
