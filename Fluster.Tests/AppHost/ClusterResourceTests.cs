using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Fluster.Cluster;
using Fluster.Hosting;

namespace Fluster.Tests;

/// <summary>What an AppHost can make of a cluster: programs that were published, machines of a backend, and what it is told when that cannot be.</summary>
public class ClusterResourceTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(120);

    [Fact]
    public async Task WithBackend_JobTooLargeForTheWorkers_GetsAMachine_AndNothingIsLeftAfterwards()
    {
        using var directory = new TemporaryDirectory();
        var data = directory.File("data");
        await using (var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Fluster_AppHost>([$"--data={data}"]).WaitAsync(s_limit))
        {
            var fluster = builder.CreateResourceBuilder(builder.Resources.OfType<FlusterResource>().Single());
            fluster.WithBackend("local", backend =>
            {
                backend.Max = 1;
                backend["Cpu"] = "100";
                backend["Memory"] = "1g";
            });
            await using var app = await builder.BuildAsync().WaitAsync(s_limit);
            await app.StartAsync().WaitAsync(s_limit);
            await app.ResourceNotifications.WaitForResourceHealthyAsync("fluster").WaitAsync(s_limit);
            await using var client = new FlusterClient(FlusterConnectionString.Parse((await app.GetConnectionStringAsync("fluster"))!, "the test"));

            var job = await client.SubmitAsync(TestCluster.Bash("exit 0") with { Resources = ResourceSpec.WithCpu(100, ByteSize.FromMiB(64)) });
            var done = await job.WaitAsync().WaitAsync(s_limit);

            Assert.Equal(JobState.Succeeded, done.State);
            Assert.Matches("^fluster-[0-9a-f]{8}$", Assert.Single(done.Tasks[0].Attempts).Worker.ToString());
            Assert.Single(Directory.GetDirectories(Path.Combine(data, "controller", "machines", "local")));
        }

        Assert.Empty(Directory.GetDirectories(Path.Combine(data, "controller", "machines", "local")));
    }

    [Fact]
    public async Task PublishedPrograms_RunAsExecutables()
    {
        using var directory = new TemporaryDirectory();
        using var builder = DistributedApplicationTestingBuilder.Create([]);
        var fluster = builder.AddFluster("fluster").WithDataDirectory(directory.File("data"));
        var programs = new ClusterPrograms(LocalVmTests.WorkerProgram.Replace("Fluster.Worker", "Fluster.Controller", StringComparison.Ordinal), LocalVmTests.WorkerProgram);
        programs.AddController(fluster, "head");
        programs.AddWorker(fluster, "hand");
        await using var app = builder.Build();
        await app.StartAsync().WaitAsync(s_limit);

        await app.ResourceNotifications.WaitForResourceHealthyAsync("fluster").WaitAsync(s_limit);

        await using var client = new FlusterClient(FlusterConnectionString.Parse((await app.GetConnectionStringAsync("fluster"))!, "the test"));
        Assert.Equal(JobState.Succeeded, (await (await client.SubmitAsync(TestCluster.Bash("exit 0"))).WaitAsync().WaitAsync(s_limit)).State);
    }

    [Fact]
    public void WithWorkers_InAnAppHostThatWasBuiltWithoutThePrograms_SaysWhatToReference()
    {
        using var builder = DistributedApplicationTestingBuilder.Create([]);

        var error = Assert.Throws<DistributedApplicationException>(() => builder.AddFluster("fluster").WithWorkers(2));

        Assert.Contains("Reference the package Fluster.Hosting", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Backend_Settings_AreWhatTheControllerReads()
    {
        using var builder = DistributedApplicationTestingBuilder.Create([]);
        var backend = new FlusterBackend("gce") { Name = "cloud", Min = 1, Max = 5, Idle = TimeSpan.FromMinutes(2) };
        backend["Project"] = builder.AddParameter("project", "mine");

        Assert.Equal(("cloud", 1, 5, TimeSpan.FromMinutes(2)), (backend.Name, backend.Min, backend.Max, backend.Idle));
        Assert.Equal(["Idle=00:02:00", "Kind=gce", "Max=5", "Min=1", "Name=cloud", "Project=Aspire.Hosting.ApplicationModel.ParameterResource"],
            backend.Settings.Select(setting => $"{setting.Key}={(setting.Value is ParameterResource ? typeof(ParameterResource) : setting.Value)}").Order(StringComparer.Ordinal));
        backend.Max = null;
        Assert.False(backend.Has("Max"));
        Assert.Throws<ArgumentNullException>(() => backend["Zone"] = null!);
    }
}
