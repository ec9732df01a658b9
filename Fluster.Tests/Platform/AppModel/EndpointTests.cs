using System.Net;
using System.Net.Sockets;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

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
    public async Task Allocate_NeedsAProxy_IsRefusedWithTheReason()
    {
        await using var app = new TestApplication();
        app.AddScript("two-ports", "true").WithHttpEndpoint(port: 12001, targetPort: 12002);

        var error = await Assert.ThrowsAsync<DistributedApplicationException>(app.StartAsync);

        Assert.Contains("needs a proxy", error.Message, StringComparison.Ordinal);
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

        Assert.Equal("{x} {shop.bindings.http.hostAndPort} {key.value}", expression.ValueExpression);
        Assert.Equal("{{x}} {0} {1}", expression.Format);
        endpoint.EndpointAnnotation.AllocatedEndpoint = new AllocatedEndpoint(endpoint.EndpointAnnotation, "localhost", 99);
        Assert.Equal("{x} localhost:99 value", await expression.GetValueAsync(default));
    }
}
