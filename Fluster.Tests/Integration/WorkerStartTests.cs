using Fluster.Cluster;
using Fluster.Worker;

namespace Fluster.Tests;

/// <summary>How a worker finds its controller, what it says of settings that cannot be, and what it delivers after an absence.</summary>
public class WorkerStartTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task DiscoveredController_IsFoundByItsName()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var worker = new WorkerProcess(controller, "worker-1", new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["Fluster__Worker__ControllerAddress"] = "http://_grpc.controller",
            ["services__controller__grpc__0"] = controller.GrpcAddress,
        });
        worker.Start();
        await using var client = controller.Client();

        var job = await client.SubmitAsync(TestCluster.Bash("exit 6"));

        Assert.Equal(6, (await job.WaitAsync(s_patience)).ExitCode);
    }

    [Fact]
    public async Task BadSettings_WorkerEndsNamingEach()
    {
        using var directory = new TemporaryDirectory();
        await using var process = ServiceProcess.Start(
            "Fluster.Worker",
            new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["Fluster__Worker__Id"] = "worker-1",
                ["Fluster__Worker__Token"] = "",
                ["Fluster__Worker__PortRange"] = "many",
                ["Fluster__Worker__DataDirectory"] = directory.Path,
            },
            directory.Path);

        await process.WaitForExitAsync(s_patience);

        Assert.Equal(1, process.ExitCode);
        Assert.Contains("Fluster:Worker:Token: it is empty", process.Output, StringComparison.Ordinal);
        Assert.Contains("Fluster:Worker:PortRange: 'many' is not a range of ports", process.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", process.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Id", "not an id")]
    [InlineData("Token", "")]
    [InlineData("ControllerAddress", "controller")]
    [InlineData("Memory", "lots")]
    [InlineData("Disk", "-1g")]
    [InlineData("PortRange", "40000-30000")]
    [InlineData("MaxConcurrentJobs", "0")]
    [InlineData("BindHost", "")]
    [InlineData("Isolation", "good")]
    [InlineData("UidRange", "1000-1999")]
    [InlineData("UidRange", "300000-200000")]
    [InlineData("JobHostPath", "/no/such/file")]
    public void Setting_ThatCannotBe_IsNamedByItsPath(string setting, string value)
    {
        var options = new WorkerOptions { Token = "token" };
        Assert.True(new WorkerOptionsValidation().Validate(null, options).Succeeded);
        var property = typeof(WorkerOptions).GetProperty(setting)!;
        property.SetValue(options, property.PropertyType == typeof(int) ? int.Parse(value, System.Globalization.CultureInfo.InvariantCulture) : value);

        var result = new WorkerOptionsValidation().Validate(null, options);

        Assert.StartsWith($"Fluster:Worker:{setting}: ", Assert.Single(result.Failures!), StringComparison.Ordinal);
    }

    [Fact]
    public async Task LinesWrittenWhileTheControllerIsAway_AreDeliveredWhenItIsBack()
    {
        using var directory = new TemporaryDirectory();
        await using var cluster = await TestCluster.StartAsync();
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash($"echo before; until [ -e {directory.File("go")} ]; do sleep 0.05; done; for i in $(seq 5000); do echo line $i; done"));
        await Eventually.True(async () => await cluster.LogAsync(job.Id, follow: false) == "before", () => "the job runs");

        await cluster.Controller.KillAsync();
        await File.WriteAllTextAsync(directory.File("go"), "");
        var spool = Path.Combine(cluster.Workers[0].DataDirectory, "spool");
        await Eventually.True(() => Directory.GetFiles(spool, "outcome", SearchOption.AllDirectories).Length == 1, "the job has ended");
        await cluster.Controller.StartAsync();

        Assert.Equal(JobState.Succeeded, (await job.WaitAsync(s_patience)).State);
        Assert.Equal(string.Join('\n', Enumerable.Range(1, 5000).Select(line => $"line {line}").Prepend("before")), await cluster.LogAsync(job.Id));
        await Eventually.True(() => Directory.GetDirectories(spool).Length == 0, "the spool is empty");
    }
}
