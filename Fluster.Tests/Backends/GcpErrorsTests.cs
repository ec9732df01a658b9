using System.Net;
using System.Text.Json;
using Fluster.Backends;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>What each of Google's ways to refuse means for making machines, and what is blocked for it.</summary>
public class GcpErrorsTests
{
    private const string Zone = "us-central1-a";
    private const string ShapeScope = "us-central1-a/n2-standard-4";
    private static readonly GcpPlace s_place = new("gce", Zone, "n2-standard-4");

    [Theory]
    [InlineData("ZONE_RESOURCE_POOL_EXHAUSTED", "The zone 'projects/p/zones/us-central1-a' does not have enough resources available to fulfill the request. Try a different zone, or try again later.", VmFailureKind.Stockout, ShapeScope)]
    [InlineData("ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", "(resource type:compute)", VmFailureKind.Stockout, ShapeScope)]
    [InlineData("insufficientCapacity", "There is insufficient capacity.", VmFailureKind.Stockout, ShapeScope)]
    [InlineData("RESOURCE_NOT_FOUND", "The resource 'projects/p/zones/us-central1-a/instances/fluster-1' was not found", VmFailureKind.Stockout, ShapeScope)]
    [InlineData("QUOTA_EXCEEDED", "Quota 'CPUS' exceeded. Limit: 24.0 in region us-central1.", VmFailureKind.Quota, "us-central1")]
    [InlineData("QUOTA_EXCEEDED", "Quota 'GPUS_ALL_REGIONS' exceeded. Limit: 0.0 globally.", VmFailureKind.Quota, "gce")]
    [InlineData("RESOURCE_OPERATION_RATE_EXCEEDED", "Operation rate exceeded for resource", VmFailureKind.RateLimited, "gce")]
    [InlineData("UNSUPPORTED_OPERATION", "Instance was preempted.", VmFailureKind.Preempted, ShapeScope)]
    [InlineData("RESOURCE_NOT_READY", "The resource is not ready", VmFailureKind.Transient, "")]
    [InlineData("RESOURCE_ALREADY_EXISTS", "The resource already exists", VmFailureKind.NameTaken, "")]
    [InlineData("INTERNAL_ERROR", "Internal error. Please try again", VmFailureKind.Transient, Zone)]
    [InlineData("SOMETHING_NEW", "Who knows", VmFailureKind.Unknown, Zone)]
    public void Operation_ThatFailed_IsClassified(string code, string message, VmFailureKind kind, string scope)
    {
        var operation = new ComputeOperation { Status = "DONE", Error = new([new() { Code = "VM_MIN_COUNT_NOT_REACHED", Message = "Requested minimum count of 1 VMs could not be created." }, new() { Code = code, Message = message }]) };

        var failure = s_place.Failure(GcpApiException.FromOperation(operation));

        Assert.Equal((kind, scope), (failure.Kind, failure.Scope));
        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(403, "quotaExceeded", "Quota 'CPUS' exceeded. Limit: 24.0 in region us-central1.", VmFailureKind.Quota, "us-central1")]
    [InlineData(403, "quotaExceeded", "Quota 'N2_CPUS' exceeded. Limit: 8.0 in zone us-central1-a.", VmFailureKind.Quota, Zone)]
    [InlineData(403, "rateLimitExceeded", "Rate Limit Exceeded", VmFailureKind.RateLimited, "gce")]
    [InlineData(429, "rateLimitExceeded", "Too many requests", VmFailureKind.RateLimited, "gce")]
    [InlineData(503, "backendError", "ZONE_RESOURCE_POOL_EXHAUSTED: no machines", VmFailureKind.Stockout, ShapeScope)]
    [InlineData(503, "backendError", "Service Unavailable", VmFailureKind.Transient, Zone)]
    [InlineData(500, "", "", VmFailureKind.Transient, Zone)]
    [InlineData(409, "alreadyExists", "The resource 'x' already exists", VmFailureKind.NameTaken, "")]
    [InlineData(412, "conditionNotMet", "Labels fingerprint either invalid or resource labels have changed", VmFailureKind.Transient, "")]
    [InlineData(400, "resourceNotReady", "The resource 'x' is not ready", VmFailureKind.Transient, "")]
    [InlineData(400, "invalid", "Invalid value for field 'resource.machineType': 'zones/us-central1-a/machineTypes/n9'.", VmFailureKind.Invalid, ShapeScope)]
    [InlineData(400, "invalid", "Invalid value for field 'resource.disks[0].initializeParams.sourceImage': 'x'.", VmFailureKind.Invalid, "gce")]
    [InlineData(400, "invalid", "Invalid value for field 'resource.networkInterfaces[0].subnetwork': 'x'.", VmFailureKind.Invalid, "us-central1")]
    [InlineData(403, "forbidden", "Required 'compute.instances.create' permission for 'projects/p'", VmFailureKind.Permission, "gce")]
    [InlineData(403, "forbidden", "Location us-central1-a is not found or access is unauthorized.", VmFailureKind.Permission, Zone)]
    [InlineData(401, "authError", "Invalid Credentials", VmFailureKind.Permission, "gce")]
    [InlineData(404, "notFound", "The resource 'projects/p/global/networks/x' was not found", VmFailureKind.Invalid, "gce")]
    [InlineData(404, "notFound", "The resource 'projects/p/regions/us-central1/subnetworks/x' was not found", VmFailureKind.Invalid, "us-central1")]
    [InlineData(404, "notFound", "The resource 'projects/p/zones/us-central1-a/machineTypes/x' was not found", VmFailureKind.Invalid, ShapeScope)]
    [InlineData(404, "notFound", "The resource 'projects/p/zones/us-central1-a' was not found", VmFailureKind.Invalid, Zone)]
    [InlineData(418, "", "I am a teapot", VmFailureKind.Unknown, Zone)]
    public void Answer_ThatRefuses_IsClassified(int status, string reason, string message, VmFailureKind kind, string scope)
    {
        var body = reason.Length == 0 ? message : JsonSerializer.Serialize(new { error = new { code = status, message, errors = new[] { new { message, domain = "global", reason } } } });

        var failure = s_place.Failure(GcpApiException.FromAnswer((HttpStatusCode)status, body, TimeSpan.FromSeconds(7)));

        Assert.Equal((kind, scope), (failure.Kind, failure.Scope));
        Assert.Equal(TimeSpan.FromSeconds(7), failure.RetryAfter);
    }

    [Theory]
    [InlineData(8, "There is no more capacity in the zone \"us-central1-a\"; you can try in another zone where Cloud TPU Nodes are offered (see https://cloud.google.com/tpu/docs/regions) [EID: 0x1]", VmFailureKind.Stockout, "us-central1-a/v5litepod-16")]
    [InlineData(9, "Insufficient reserved capacity", VmFailureKind.Stockout, "us-central1-a/v5litepod-16")]
    [InlineData(3, "Cloud TPU received a bad request. update is not supported while in state PREEMPTED [EID: 0x2]", VmFailureKind.Preempted, "us-central1-a/v5litepod-16")]
    [InlineData(8, "Quota limit 'TPUV5sPodPerProjectPerZoneForTPUAPI' has been exceeded. Limit: 32 in zone us-central1-a.", VmFailureKind.Quota, Zone)]
    [InlineData(7, "Permission 'tpu.nodes.create' denied", VmFailureKind.Permission, "gce")]
    [InlineData(14, "The service is currently unavailable.", VmFailureKind.Transient, Zone)]
    [InlineData(5, "Resource 'projects/p/locations/us-central1-a/nodes/x' was not found", VmFailureKind.Stockout, "us-central1-a/v5litepod-16")]
    public void TpuStatus_ThatFailed_IsClassified(int code, string message, VmFailureKind kind, string scope)
    {
        var failure = new GcpPlace("gce", Zone, "v5litepod-16").Failure(GcpApiException.FromStatus(new RpcStatus { Code = code, Message = message }));

        Assert.Equal((kind, scope), (failure.Kind, failure.Scope));
    }

    [Fact]
    public void TpuQuota_IsReadFromTheDetails_AndIsNoRateLimit()
    {
        const string Body = """
            {"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[
              {"subject":"project:1","description":"Quota 'TPUV2sPreemptiblePodPerProjectPerZoneForTPUAPI' exhausted. Limit 32 in zone us-central1-a"}]}]}}
            """;

        var failure = s_place.Failure(GcpApiException.FromAnswer(HttpStatusCode.TooManyRequests, Body, retryAfter: null));

        Assert.Equal((VmFailureKind.Quota, Zone), (failure.Kind, failure.Scope));
    }

    [Fact]
    public void TpuType_ThatTheZoneDoesNotHave_IsInvalidThere()
    {
        const string Body = """{"error":{"code":400,"message":"Cloud TPU received an invalid AcceleratorType, \"v3-8\" for zone \"us-central1-a\". Valid values are \"v2-8\".","status":"INVALID_ARGUMENT"}}""";

        var failure = s_place.Failure(GcpApiException.FromAnswer(HttpStatusCode.BadRequest, Body, retryAfter: null));

        Assert.Equal((VmFailureKind.Invalid, ShapeScope), (failure.Kind, failure.Scope));
    }

    [Theory]
    [InlineData("region", "us-central1", "us-central1")]
    [InlineData("zone", Zone, Zone)]
    public void QuotaDetails_OfAnOperation_SayWhere(string dimension, string value, string scope)
    {
        var operation = new ComputeOperation
        {
            Status = "DONE",
            Error = new([new() { Code = "QUOTA_EXCEEDED", Message = "Quota exceeded.", ErrorDetails = [new() { QuotaInfo = new() { MetricName = "m", Dimensions = new(StringComparer.Ordinal) { [dimension] = value } } }] }]),
        };

        Assert.Equal(scope, s_place.Failure(GcpApiException.FromOperation(operation)).Scope);
    }

    [Fact]
    public void ConcurrentOperations_AreARateLimit()
    {
        const string Body = """{"error":{"code":403,"message":"Too many","errors":[{"reason":"forbidden"}],"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"CONCURRENT_OPERATIONS_QUOTA_EXCEEDED"}]}}""";

        Assert.Equal(VmFailureKind.RateLimited, s_place.Failure(GcpApiException.FromAnswer(HttpStatusCode.Forbidden, Body, retryAfter: null)).Kind);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("<html>502</html>")]
    [InlineData("{\"error\":{}}")]
    [InlineData("{\"error\":{\"details\":[1,\"x\",{\"violations\":[2,{}]},{\"reason\":3}]}}")]
    [InlineData("")]
    public void Answer_ThatCannotBeRead_IsStillAnError(string body) =>
        Assert.Equal(VmFailureKind.Transient, s_place.Failure(GcpApiException.FromAnswer(HttpStatusCode.BadGateway, body, retryAfter: null)).Kind);

    /// <summary>A failure of machines that may be taken away says nothing of the others.</summary>
    [Fact]
    public void Scopes_OfSpotMachines_AreNotThoseOfOthers()
    {
        Assert.Equal([ShapeScope, Zone, "us-central1", "gce"], s_place.Scopes);
        Assert.Equal("us-central1-a/n2-standard-4/spot", (s_place with { Spot = true }).Scopes[0]);
    }
}
