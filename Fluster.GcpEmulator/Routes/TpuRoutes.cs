using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Fluster.GcpEmulator;

/// <summary>Cloud TPU's paths.</summary>
internal static class TpuRoutes
{
    private const string Zonal = "/v2/projects/{project}/locations/{zone}";

    public static void Map(IEndpointRouteBuilder app, EmulatedCloud cloud)
    {
        var tpu = new EmulatedTpu(cloud);

        app.MapPost($"{Zonal}/nodes", async (HttpContext context, string project, string zone) =>
        {
            var body = await EmulatorRequests.ReadAsync(context, GcpJson.Default.TpuNode);
            return Operation(cloud, context, failure => tpu.CreateNode(project, zone, context.Request.Query["nodeId"], body, failure));
        });

        app.MapGet($"{Zonal}/nodes", (HttpContext context, string project, string zone) => EmulatorRequests.Answer(cloud, GcpJson.Default.TpuNodeList, () =>
        {
            var (items, next) = EmulatorRequests.Page(cloud, context, "pageSize", cloud.Nodes.Values.Where(node => node.Project == project && IsIn(cloud, zone, node.Zone)).OrderBy(node => node.Zone, StringComparer.Ordinal).ThenBy(node => node.Id, StringComparer.Ordinal).Select(node => node.Resource));
            return new TpuNodeList { Nodes = items.Count > 0 ? items : null, NextPageToken = next, Unreachable = Unreachable(cloud, project, zone) };
        }));

        app.MapGet($"{Zonal}/nodes/{{id}}", (string project, string zone, string id) =>
            EmulatorRequests.Answer(cloud, GcpJson.Default.TpuNode, () => tpu.GetNode(project, zone, id).Resource));

        app.MapDelete($"{Zonal}/nodes/{{id}}", (HttpContext context, string project, string zone, string id) =>
            Operation(cloud, context, failure => tpu.DeleteNode(project, zone, id, failure)));

        app.MapPatch($"{Zonal}/nodes/{{id}}", async (HttpContext context, string project, string zone, string id) =>
        {
            var body = await EmulatorRequests.ReadAsync(context, GcpJson.Default.TpuNode);
            return Operation(cloud, context, _ => tpu.PatchNode(project, zone, id, body, context.Request.Query["updateMask"]));
        });

        app.MapPost($"{Zonal}/nodes/{{id}}:stop", (HttpContext context, string project, string zone, string id) =>
            Operation(cloud, context, _ => tpu.StopNode(project, zone, id)));

        app.MapPost($"{Zonal}/queuedResources", async (HttpContext context, string project, string zone) =>
        {
            var body = await EmulatorRequests.ReadAsync(context, GcpJson.Default.TpuQueuedResource);
            return Operation(cloud, context, failure => tpu.CreateQueuedResource(project, zone, context.Request.Query["queuedResourceId"], body, RequestId(context), failure));
        });

        app.MapGet($"{Zonal}/queuedResources", (HttpContext context, string project, string zone) => EmulatorRequests.Answer(cloud, GcpJson.Default.TpuQueuedResourceList, () =>
        {
            var (items, next) = EmulatorRequests.Page(cloud, context, "pageSize", cloud.QueuedResources.Values.Where(resource => resource.Project == project && IsIn(cloud, zone, resource.Zone)).OrderBy(resource => resource.Zone, StringComparer.Ordinal).ThenBy(resource => resource.Id, StringComparer.Ordinal).Select(resource => resource.Resource));
            return new TpuQueuedResourceList { QueuedResources = items.Count > 0 ? items : null, NextPageToken = next, Unreachable = Unreachable(cloud, project, zone) };
        }));

        app.MapGet($"{Zonal}/queuedResources/{{id}}", (string project, string zone, string id) =>
            EmulatorRequests.Answer(cloud, GcpJson.Default.TpuQueuedResource, () => tpu.GetQueuedResource(project, zone, id).Resource));

        app.MapDelete($"{Zonal}/queuedResources/{{id}}", (HttpContext context, string project, string zone, string id) =>
            Operation(cloud, context, failure => tpu.DeleteQueuedResource(project, zone, id, context.Request.Query["force"] == "true", RequestId(context), failure)));

        app.MapGet($"{Zonal}/acceleratorTypes", (HttpContext context, string project, string zone) => EmulatorRequests.Answer(cloud, GcpJson.Default.TpuAcceleratorTypeList, () =>
        {
            cloud.CheckZone(zone);
            var (items, next) = EmulatorRequests.Page(cloud, context, "pageSize", TpuMachines.All.Where(machine => machine.Topology.Variant != "v5litepod-2").Select(machine => new TpuAcceleratorType
            {
                Name = $"projects/{project}/locations/{zone}/acceleratorTypes/{machine.Topology.Variant}",
                Type = machine.Topology.Variant,
                AcceleratorConfigs = [new TpuAcceleratorConfig(machine.Generation, machine.Chips)],
            }));
            return new TpuAcceleratorTypeList { AcceleratorTypes = items, NextPageToken = next };
        }));

        app.MapGet($"{Zonal}/operations/{{name}}", (string project, string zone, string name) =>
            EmulatorRequests.Answer(cloud, GcpJson.Default.TpuOperation, () => Describe(cloud.FindOperation(project, zone, name) ?? throw EmulatorException.NotFound($"projects/{project}/locations/{zone}/operations/{name}"))));
    }

    private static bool IsIn(EmulatedCloud cloud, string asked, string zone) => asked == TpuClient.AllZones ? !cloud.Faults.Unreachable.Contains(zone) : asked == zone;

    private static List<string>? Unreachable(EmulatedCloud cloud, string project, string zone) =>
        zone == TpuClient.AllZones && cloud.Faults.Unreachable.Count > 0 ? [.. cloud.Faults.Unreachable.Order(StringComparer.Ordinal).Select(unreachable => $"projects/{project}/locations/{unreachable}")] : null;

    private static IResult Operation(EmulatedCloud cloud, HttpContext context, Func<FailNext?, EmulatedOperation> begin) =>
        EmulatorRequests.Answer(cloud, GcpJson.Default.TpuOperation, () => Describe(begin(EmulatorRequests.OperationFailure(context))));

    private static string? RequestId(HttpContext context) => context.Request.Query.TryGetValue("requestId", out var id) ? id.ToString() : null;

    /// <summary>As Google writes it: "done" is there only when it is true.</summary>
    private static TpuOperation Describe(EmulatedOperation operation) => new()
    {
        Name = $"projects/{operation.Project}/locations/{operation.Zone}/operations/{operation.Name}",
        Done = operation.IsDone ? true : null,
        Metadata = new TpuOperationMetadata
        {
            Type = "type.googleapis.com/google.cloud.common.OperationMetadata",
            ApiVersion = "v2",
            CreateTime = EmulatedCloud.Text(operation.StartedAt),
            EndTime = operation.EndedAt is { } ended ? EmulatedCloud.Text(ended) : null,
            Target = operation.Target,
            Verb = operation.Verb,
        },
        Error = operation is { IsDone: true, Problem: { } problem } ? new RpcStatus { Code = problem.RpcCode, Message = problem.Message } : null,
        Response = operation is { IsDone: true, Problem: null } ? operation.Response() : null,
    };
}
