using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;

namespace Fluster.Tests;

/// <summary>AppHosts within a test: their own program, with a say before it builds, side by side, and gone afterwards.</summary>
public class TestingBuilderTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task CreateAsync_AppHost_RunsUntilItIsDisposed()
    {
        using var directory = new TemporaryDirectory();
        var pid = directory.File("pid");
        int script;
        await using (var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.ProbeAppHost>([$"echo $$ > {pid}.new; mv {pid}.new {pid}; exec sleep 4711"]).WaitAsync(s_limit))
        {
            Assert.Equal(["registry", "service", "script", "quick"], builder.Resources.OfType<IResourceWithEnvironment>().Select(resource => resource.Name));
            Assert.Equal(("Development", Path.Combine(Repository.Root, "Fluster.Tests", "Programs", "ProbeAppHost")), (builder.Environment.EnvironmentName, builder.AppHostDirectory));
            await using var app = await builder.BuildAsync().WaitAsync(s_limit);
            Assert.Throws<InvalidOperationException>(() => app.GetEndpoint("service"));
            await app.StartAsync().WaitAsync(s_limit);

            await app.ResourceNotifications.WaitForResourceHealthyAsync("service").WaitAsync(s_limit);
            using var client = app.CreateHttpClient("service");
            using var answer = await client.GetAsync("/health");
            Assert.True(answer.IsSuccessStatusCode);
            Assert.StartsWith("localhost:", await app.GetConnectionStringAsync("registry"), StringComparison.Ordinal);
            Assert.Contains("It has: grpc, http", Assert.Throws<ArgumentException>(() => app.GetEndpoint("service", "admin")).Message, StringComparison.Ordinal);
            Assert.Throws<ArgumentException>(() => app.GetEndpoint("servant"));
            await Eventually.True(() => Task.FromResult(File.Exists(pid)), () => "the script runs");
            script = int.Parse(await File.ReadAllTextAsync(pid), System.Globalization.CultureInfo.InvariantCulture);
            Assert.True(ProcessTree.IsAlive(script));
        }

        await ProcessTree.GoneAsync([script], TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task CreateAsync_SideBySide_HavePortsOfTheirOwn()
    {
        await using var first = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Fluster_AppHost>().WaitAsync(s_limit);
        await using var second = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Fluster_AppHost>().WaitAsync(s_limit);

        var ports = new List<int>();
        foreach (var builder in new[] { first, second })
        {
            var app = await StartWithoutProcessesAsync(builder);
            ports.AddRange([app.GetEndpoint("controller", "http").Port, app.GetEndpoint("controller", "grpc").Port]);
        }

        Assert.Equal(4, ports.Distinct().Count());
        Assert.DoesNotContain(7070, ports); // the one that the AppHost gives
    }

    [Fact]
    public async Task CreateAsync_ProgramFails_TheTestHearsWhy()
    {
        var failure = await Assert.ThrowsAsync<IndexOutOfRangeException>(() => DistributedApplicationTestingBuilder.CreateAsync<Projects.ProbeAppHost>().WaitAsync(s_limit));
        Assert.Contains("Main", failure.StackTrace, StringComparison.Ordinal);
        await Assert.ThrowsAsync<InvalidOperationException>(() => DistributedApplicationTestingBuilder.CreateAsync(typeof(Cluster.JobId)));
    }

    [Fact]
    public async Task CreateAsync_ConfiguredBuilder_TakesItsOptions()
    {
        await using var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.ProbeAppHost>(
            ["true"], (options, settings) => (options.ProjectDirectory, settings.EnvironmentName) = (Path.GetTempPath(), "Staging")).WaitAsync(s_limit);

        Assert.Equal(("Staging", Path.GetTempPath()), (builder.Environment.EnvironmentName, builder.AppHostDirectory));
    }

    [Fact]
    public async Task Create_DependencyFails_WhoeverWaitsFailsToo()
    {
        using var directory = new TemporaryDirectory();
        await using var builder = DistributedApplicationTestingBuilder.Create([], (options, _) => options.ProjectDirectory = directory.Path);
        var bad = builder.AddExecutable("bad", "no-such-program", ".");
        builder.AddExecutable("waits", "sh", ".", "-c", "sleep 100").WaitFor(bad);
        await using var app = await builder.BuildAsync();

        await app.StartAsync().WaitAsync(s_limit);

        await app.ResourceNotifications.WaitForResourceAsync("waits", KnownResourceStates.FailedToStart).WaitAsync(s_limit);
    }

    /// <summary>Its addresses are given before anything starts; whether the programs run does not matter here.</summary>
    private static async Task<DistributedApplication> StartWithoutProcessesAsync(IDistributedApplicationTestingBuilder builder)
    {
        foreach (var resource in builder.Resources.Where(resource => resource is IResourceWithEndpoints))
        {
            resource.Annotations.Add(new ExplicitStartupAnnotation());
        }

        var app = await builder.BuildAsync().WaitAsync(s_limit);
        await app.StartAsync().WaitAsync(s_limit);
        return app;
    }
}
