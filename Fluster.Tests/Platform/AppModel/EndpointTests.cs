using System.Net;
using System.Net.Sockets;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Running;

namespace Fluster.Tests;

/// <summary>Every endpoint has its address before anything starts.</summary>
public class EndpointTests
{
    [Fact]
    public async Task Allocate_PortTaken_GivesAnotherOne()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var taken = ((IPEndPoint)other.LocalEndpoint).Port;
        await using var app = new TestApplication();
        var wished = app.AddScript("wished", "sleep 1000").WithHttpEndpoint(port: taken);
        var free = app.AddScript("free", "sleep 1000").WithHttpEndpoint();

        await app.StartAsync();

        Assert.NotEqual(taken, wished.GetEndpoint("http").Port);
        Assert.NotEqual(wished.GetEndpoint("http").Port, free.GetEndpoint("http").Port);
        Assert.Equal($"http://localhost:{free.GetEndpoint("http").Port}", free.GetEndpoint("http").Url);
    }

    [Fact]
    public async Task Allocate_PortFree_IsKept()
    {
        await using var app = new TestApplication();
        int port;
        using (var probe = new TcpListener(IPAddress.Loopback, 0))
        {
            probe.Start();
            port = ((IPEndPoint)probe.LocalEndpoint).Port;
        }

        var wished = app.AddScript("wished", "sleep 1000").WithHttpEndpoint(port: port);

        await app.StartAsync();

        Assert.Equal(port, wished.GetEndpoint("http").Port);
        Assert.Equal(port, wished.GetEndpoint("http").TargetPort);
    }

    [Fact]
    public async Task Replicas_ShareAnEndpoint_AndWhoeverIsThereAnswers()
    {
        await using var app = TestApplication.WithOwnPorts();
        var service = app.Builder.AddProject<Projects.ProbeService>("service", launchProfileName: null).WithHttpHealthCheck("/health", endpointName: "http").WithReplicas(3);
        await app.StartAsync();
        await app.Notifications.WaitForResourceHealthyAsync("service").WaitAsync(TestApplication.Limit);

        var all = await AddressesAsync();
        Assert.Equal(3, all.Count);
        Assert.DoesNotContain(all, address => address.EndsWith($":{service.GetEndpoint("http").Port}", StringComparison.Ordinal));

        Assert.True((await app.Running.ResourceCommands.ExecuteCommandAsync(service.Resource.InstanceIds()[0], KnownResourceCommands.StopCommand)).Success);

        Assert.Equal(2, (await AddressesAsync()).Count);

        async Task<HashSet<string>> AddressesAsync()
        {
            var addresses = new HashSet<string>(StringComparer.Ordinal);
            for (var call = 0; call < 12; call++)
            {
                using var client = new HttpClient(); // a connection of its own
                addresses.Add(await client.GetStringAsync(new Uri($"{service.GetEndpoint("http").Url}/environment/Kestrel:Endpoints:http:Url")));
            }

            return addresses;
        }
    }

    [Fact]
    public async Task Allocate_TwoPorts_AreJoinedByAProxy()
    {
        await using var app = new TestApplication();
        var (outer, inner) = (FreePorts.Next(), FreePorts.Next());
        var service = app.Builder.AddProject<Projects.ProbeService>("service", launchProfileName: null)
            .WithEndpoint("http", endpoint => (endpoint.Port, endpoint.TargetPort) = (outer, inner))
            .WithEndpoint("grpc", endpoint => endpoint.Port = null)
            .WithHttpHealthCheck("/health", endpointName: "http");
        await app.StartAsync();
        await app.WhenReadyAsync("service");

        using var client = new HttpClient();
        Assert.Equal($"http://127.0.0.1:{inner}", await client.GetStringAsync(new Uri($"http://localhost:{outer}/environment/Kestrel:Endpoints:http:Url")));
        Assert.Equal((outer, inner), (service.GetEndpoint("http").Port, service.GetEndpoint("http").TargetPort));
    }

    [Theory]
    [InlineData(null, 12002, 2, true, "target port 12002")]
    [InlineData(null, null, 2, false, "has no proxy")]
    [InlineData(12001, 12002, 1, false, "Without a proxy they are one")]
    public async Task Allocate_EndpointsThatContradictThemselves_AreRefused(int? port, int? targetPort, int replicas, bool isProxied, string reason)
    {
        await using var app = new TestApplication();
        app.Builder.AddProject<Projects.ProbeService>("service", launchProfileName: null)
            .WithEndpoint("http", endpoint => (endpoint.Port, endpoint.TargetPort, endpoint.IsProxied) = (port, targetPort, isProxied)).WithReplicas(replicas);

        var error = await Assert.ThrowsAsync<DistributedApplicationException>(app.StartAsync);

        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void GetEndpoint_Unknown_SaysWhoHasNone()
    {
        var builder = DistributedApplication.CreateBuilder();
        var endpoint = builder.AddExecutable("shop", "sh", ".").GetEndpoint("admin");

        Assert.False(endpoint.Exists);
        Assert.False(endpoint.IsAllocated);
        var error = Assert.Throws<InvalidOperationException>(() => endpoint.Url);
        Assert.Contains("`admin`", error.Message, StringComparison.Ordinal);
        Assert.Contains("`shop`", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WithEndpoint_NameTaken_IsRefused()
    {
        var builder = DistributedApplication.CreateBuilder();
        var shop = builder.AddExecutable("shop", "sh", ".").WithHttpEndpoint();

        Assert.Throws<DistributedApplicationException>(() => shop.WithHttpEndpoint());
    }

    [Fact]
    public void WithHttpHealthCheck_NoHttpEndpoint_IsRefused()
    {
        var builder = DistributedApplication.CreateBuilder();
        var shop = builder.AddExecutable("shop", "sh", ".").WithEndpoint(name: "raw", port: 1);

        Assert.Throws<DistributedApplicationException>(() => shop.WithHttpHealthCheck());
        Assert.Throws<DistributedApplicationException>(() => shop.WithHttpHealthCheck(endpointName: "raw"));
    }

    [Fact]
    public async Task ReferenceExpression_KnowsItsManifestForm()
    {
        var builder = DistributedApplication.CreateBuilder();
        var endpoint = builder.AddExecutable("shop", "sh", ".").WithHttpEndpoint().GetEndpoint("http");
        var key = builder.AddParameter("key", "value");

        var expression = ReferenceExpression.Create($"{{x}} {endpoint.Property(EndpointProperty.HostAndPort)} {key}");

        Assert.Equal("{x} {shop.bindings.http.host}:{shop.bindings.http.port} {key.value}", expression.ValueExpression);
        Assert.Equal("{{x}} {0} {1}", expression.Format);
        endpoint.EndpointAnnotation.AllocatedEndpoint = new AllocatedEndpoint(endpoint.EndpointAnnotation, "localhost", 99);
        Assert.Equal("{x} localhost:99 value", await expression.GetValueAsync(default));
    }
}
