using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Running;

namespace Fluster.Tests;

/// <summary>.NET projects are started from their build output, with what they say about themselves.</summary>
public class ProjectTests
{
    [Fact]
    public async Task AddProject_LaunchProfile_GivesEnvironmentAndArguments()
    {
        await using var app = TestApplication.WithOwnPorts();
        var service = app.Builder.AddProject<ProbeService>("service").WithHttpHealthCheck("/health");
        await app.StartAsync();
        await app.WhenReadyAsync("service");
        using var client = new HttpClient { BaseAddress = new Uri(service.GetEndpoint("http").Url) };

        Assert.Equal("Development", await client.GetStringAsync("/name"));
        Assert.Equal("from the profile", await client.GetStringAsync("/environment/PROBE_GREETING"));
        Assert.Equal("--from|profile|two words", await client.GetStringAsync("/arguments"));
        Assert.Equal("http", await client.GetStringAsync("/environment/DOTNET_LAUNCH_PROFILE"));
        Assert.Equal("service", await client.GetStringAsync("/environment/OTEL_SERVICE_NAME"));
    }

    [Fact]
    public async Task AddProject_KestrelEndpoints_ListenWhereTheyWereAllocatedAndAreFoundByName()
    {
        await using var app = TestApplication.WithOwnPorts();
        var one = app.Builder.AddProject<ProbeService>("one", launchProfileName: null).WithHttpHealthCheck("/health", endpointName: "http");
        var two = app.Builder.AddProject<ProbeService>("two", "other").WithHttpHealthCheck("/health").WithReference(one);
        await app.StartAsync();
        await Task.WhenAll(app.WhenReadyAsync("one"), app.WhenReadyAsync("two"));
        using var client = new HttpClient { BaseAddress = new Uri(two.GetEndpoint("http").Url) };

        Assert.Equal("http://127.0.0.1:" + one.GetEndpoint("grpc").Port, await client.GetStringAsync("/environment/services:one:grpc:0"));
        Assert.Equal("http2", one.GetEndpoint("grpc").EndpointAnnotation.Transport);
        Assert.NotEqual(one.GetEndpoint("http").Port, two.GetEndpoint("http").Port);
        Assert.Equal("from the other profile", await client.GetStringAsync("/environment/PROBE_GREETING"));
        // Without a profile it is Production; and "two" finds "one" by its logical address.
        Assert.Equal("Production", await client.GetStringAsync("/call?address=http://_http.one/name"));
    }

    [Fact]
    public async Task WithHttpHealthCheck_Unhealthy_BecomesReadyWhenItIsHealthy()
    {
        await using var app = TestApplication.WithOwnPorts();
        var flag = Path.Combine(app.Directory, "healthy");
        var asked = new TaskCompletionSource<CustomResourceSnapshot>();
        app.Builder.AddProject<ProbeService>("service").WithHttpHealthCheck("/health").WithEnvironment("PROBE_HEALTH", flag);
        await app.StartAsync();
        using var limit = new CancellationTokenSource(TestApplication.Limit);
        var unhealthy = await app.Notifications.WaitForResourceAsync(
            "service", change => change.Snapshot.HealthReports is [{ Description: { } text }] && text.Contains("answered 503", StringComparison.Ordinal), limit.Token);
        Assert.Equal(KnownResourceStates.Running, unhealthy.Snapshot.State?.Text);

        await File.WriteAllTextAsync(flag, "");

        await app.WhenReadyAsync("service");
    }

    [Fact]
    public async Task AddProject_PathInsteadOfClass_FindsTheBuild()
    {
        await using var app = TestApplication.WithOwnPorts();
        app.Builder.AddProject("service", Path.GetDirectoryName(new ProbeService().ProjectPath)!).WithHttpHealthCheck("/health");

        await app.StartAsync();

        await app.WhenReadyAsync("service");
    }

    [Fact]
    public void AddProject_NoSuchPath_IsRefused()
    {
        var builder = DistributedApplication.CreateBuilder();

        Assert.Throws<DistributedApplicationException>(() => builder.AddProject("service", "/no/such/project"));
    }

    [Fact]
    public void AddProject_NoSuchProfile_IsRefused()
    {
        var builder = DistributedApplication.CreateBuilder();

        var error = Assert.Throws<DistributedApplicationException>(() => builder.AddProject<ProbeService>("service", "missing"));

        Assert.Contains("'missing'", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("a b", "a|b")]
    [InlineData("  a   \"b c\" d\"e f\"g ", "a|b c|de fg")]
    [InlineData("\"\"", "")]
    public void LaunchProfile_Arguments_AreSplitAsAShellDoes(string commandLine, string expected) =>
        Assert.Equal(expected, string.Join('|', LaunchSettingsFile.Split(commandLine)));

    [Fact]
    public async Task WithReplicas_NoEndpoints_RunsSeveralProcesses()
    {
        await using var app = TestApplication.WithOwnPorts();
        var service = app.Builder.AddProject<ProbeService>("service", options => options.ExcludeKestrelEndpoints = true)
            .WithEnvironment("ASPNETCORE_URLS", "").WithEnvironment("Kestrel__Endpoints__http__Url", "http://127.0.0.1:0")
            .WithEnvironment("Kestrel__Endpoints__grpc__Url", "http://127.0.0.1:0")
            .WithReplicas(2);
        await app.StartAsync();
        var ids = service.Resource.InstanceIds();

        Assert.Equal(2, ids.Distinct().Count());
        Assert.All(ids, id => Assert.Matches("^service-[a-z]{8}$", id));
        var pids = new List<object?>();
        foreach (var id in ids)
        {
            pids.Add((await app.WhenReadyAsync(id)).Properties.Single(property => property.Name == "executable.pid").Value);
        }

        Assert.Equal(2, pids.Distinct().Count());
    }

    /// <summary>What the build of an AppHost would have made.</summary>
    private sealed class ProbeService : IProjectMetadata
    {
        public string ProjectPath => Path.Combine(Repository.Root, "Fluster.Tests", "Programs", "ProbeService", "ProbeService.csproj");

        public bool SuppressBuild => true;
    }
}
