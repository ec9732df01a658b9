using Fluster.Controller;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>Default-deny: a new RPC is refused to everybody until somebody decides who may call it.</summary>
public class AccessRulesTests
{
    private const string Service = "/fluster.cluster.v1.ControllerService/";

    [Fact]
    public void EveryRpc_IsDecided()
    {
        var rpcs = V1.ControllerService.Descriptor.Methods.Select(method => Service + method.Name).Order(StringComparer.Ordinal);

        Assert.Equal(rpcs, AccessRules.Paths.Where(path => path.StartsWith(Service, StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("GET", "/alive", true)]
    [InlineData("GET", "/health", true)]
    [InlineData("POST", "/grpc.health.v1.Health/Check", true)]
    [InlineData("POST", "/health", false)]
    [InlineData("GET", "/alive/", false)]
    [InlineData("GET", "/", false)]
    [InlineData("GET", "/login", true)]
    [InlineData("POST", "/login", true)]
    [InlineData("GET", "/assets/base.css", true)]
    [InlineData("POST", "/assets/base.css", false)]
    [InlineData("GET", "/jobs", false)]
    [InlineData("POST", "/grpc.health.v1.Health/Watch", false)]
    [InlineData("POST", Service + "GetClusterStatus", false)]
    public void OpenList_IsThis(string method, string path, bool open) => Assert.Equal(open, AccessRules.IsOpen(method, path));

    [Theory]
    [InlineData("worker", "WorkerLink", true)]
    [InlineData("worker", "GetBlob", true)]
    [InlineData("worker", "LaunchJob", false)]
    [InlineData("worker", "ListJobs", false)]
    [InlineData("job", "LaunchJob", true)]
    [InlineData("job", "WorkerLink", false)]
    [InlineData("job", "ListWorkers", false)]
    [InlineData("admin", "ListWorkers", true)]
    [InlineData("admin", "WorkerLink", false)]
    [InlineData("somebody", "GetJobStatus", false)]
    [InlineData("admin", "NoSuchCall", false)]
    public void Role_MayCall(string role, string rpc, bool allowed) => Assert.Equal(allowed, AccessRules.Allows(Service + rpc, role));
}
