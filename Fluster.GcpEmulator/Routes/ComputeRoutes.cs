using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Fluster.GcpEmulator;

/// <summary>Compute Engine's paths.</summary>
internal static class ComputeRoutes
{
    private const string Zonal = "/compute/v1/projects/{project}/zones/{zone}";

    /// <summary>For how long Google holds a wait for an operation.</summary>
    private static readonly TimeSpan s_longestWait = TimeSpan.FromMinutes(2);

    public static void Map(IEndpointRouteBuilder app, EmulatedCloud cloud, TimeProvider time)
    {
        var compute = new EmulatedCompute(cloud);

        app.MapPost($"{Zonal}/instances", async (HttpContext context, string project, string zone) =>
        {
            var body = await EmulatorRequests.ReadAsync(context, GcpJson.Default.ComputeInstance);
            return Operation(cloud, context, failure => compute.Insert(project, zone, body, RequestId(context), failure));
        });

        app.MapGet($"{Zonal}/instances", (HttpContext context, string project, string zone) => EmulatorRequests.Answer(cloud, GcpJson.Default.ComputeInstanceList, () =>
        {
            cloud.CheckZone(zone);
            var (items, next) = EmulatorRequests.Page(cloud, context, "maxResults", compute.All(project).Where(instance => GcpNames.LastPart(instance.Zone) == zone && ListFilter.Matches(context.Request.Query["filter"], instance)));
            return new ComputeInstanceList
            {
                Kind = "compute#instanceList",
                Id = $"projects/{project}/zones/{zone}/instances",
                SelfLink = $"{EmulatedCompute.Link(project)}/zones/{zone}/instances",
                Items = items.Count > 0 ? items : null,
                NextPageToken = next,
                Warning = cloud.Faults.Unreachable.Contains(zone) ? new ComputeWarning("UNREACHABLE", $"The zone {zone} is not reachable.") : null,
            };
        }));

        app.MapGet("/compute/v1/projects/{project}/aggregated/instances", (HttpContext context, string project) =>
            EmulatorRequests.Answer(cloud, GcpJson.Default.ComputeAggregatedList, () => Aggregated(cloud, compute, context, project)));

        app.MapGet($"{Zonal}/instances/{{name}}", (string project, string zone, string name) =>
            EmulatorRequests.Answer(cloud, GcpJson.Default.ComputeInstance, () => compute.Get(project, zone, name).Resource));

        app.MapDelete($"{Zonal}/instances/{{name}}", (HttpContext context, string project, string zone, string name) =>
            Operation(cloud, context, failure => compute.Delete(project, zone, name, RequestId(context), failure)));

        app.MapPost($"{Zonal}/instances/{{name}}/setLabels", async (HttpContext context, string project, string zone, string name) =>
        {
            var body = await EmulatorRequests.ReadAsync(context, GcpJson.Default.ComputeSetLabels);
            return Operation(cloud, context, _ => compute.SetLabels(project, zone, name, body, RequestId(context)));
        });

        app.MapPost($"{Zonal}/instances/{{name}}/setMetadata", async (HttpContext context, string project, string zone, string name) =>
        {
            var body = await EmulatorRequests.ReadAsync(context, GcpJson.Default.ComputeMetadata);
            return Operation(cloud, context, _ => compute.SetMetadata(project, zone, name, body, RequestId(context)));
        });

        app.MapGet($"{Zonal}/instances/{{name}}/serialPort", (HttpContext context, string project, string zone, string name) => EmulatorRequests.Answer(cloud, GcpJson.Default.ComputeSerialOutput, () =>
        {
            var instance = compute.Get(project, zone, name);
            var console = instance.Machine is { } machine ? cloud.Runner.Console(machine) : "";
            var start = long.TryParse(context.Request.Query["start"], NumberStyles.None, CultureInfo.InvariantCulture, out var asked) ? Math.Min(asked, console.Length) : 0;
            return new ComputeSerialOutput
            {
                Kind = "compute#serialPortOutput",
                SelfLink = $"{instance.Resource.SelfLink}/serialPort",
                Contents = console[(int)start..],
                Start = start.ToString(CultureInfo.InvariantCulture),
                Next = console.Length.ToString(CultureInfo.InvariantCulture),
            };
        }));

        app.MapGet($"{Zonal}/machineTypes", (HttpContext context, string project, string zone) => EmulatorRequests.Answer(cloud, GcpJson.Default.ComputeMachineTypeList, () =>
        {
            cloud.CheckZone(zone);
            var (items, next) = EmulatorRequests.Page(cloud, context, "maxResults", MachineTypes.All.Select((type, index) => Describe(project, zone, type, index)));
            return new ComputeMachineTypeList { Kind = "compute#machineTypeList", Id = $"projects/{project}/zones/{zone}/machineTypes", Items = items, NextPageToken = next };
        }));

        app.MapGet($"{Zonal}/operations/{{name}}", (string project, string zone, string name) =>
            EmulatorRequests.Answer(cloud, GcpJson.Default.ComputeOperation, () => Describe(cloud, Find(cloud, project, zone, name))));

        app.MapPost($"{Zonal}/operations/{{name}}/wait", async (HttpContext context, string project, string zone, string name) =>
        {
            for (var start = time.GetTimestamp(); time.GetElapsedTime(start) < s_longestWait; await Task.Delay(TimeSpan.FromMilliseconds(10), time, context.RequestAborted))
            {
                lock (cloud.Gate)
                {
                    cloud.Advance();
                    if (Find(cloud, project, zone, name).IsDone)
                    {
                        break;
                    }
                }
            }

            return EmulatorRequests.Answer(cloud, GcpJson.Default.ComputeOperation, () => Describe(cloud, Find(cloud, project, zone, name)));
        });
    }

    private static ComputeAggregatedList Aggregated(EmulatedCloud cloud, EmulatedCompute compute, HttpContext context, string project)
    {
        var reached = compute.All(project).Where(instance => !cloud.Faults.Unreachable.Contains(GcpNames.LastPart(instance.Zone)) && ListFilter.Matches(context.Request.Query["filter"], instance));
        var (items, next) = EmulatorRequests.Page(cloud, context, "maxResults", reached);
        var scopes = cloud.Options.Zones.ToDictionary(zone => $"zones/{zone}", zone => items.Where(instance => GcpNames.LastPart(instance.Zone) == zone).ToList() is { Count: > 0 } here
            ? new ComputeScopedList { Instances = here }
            : new ComputeScopedList
            {
                Warning = cloud.Faults.Unreachable.Contains(zone)
                    ? new ComputeWarning("UNREACHABLE", $"The zone {zone} is not reachable.")
                    : new ComputeWarning(ComputeWarning.NoResults, $"There are no results for scope 'zones/{zone}' on this page."),
            }, StringComparer.Ordinal);
        return new ComputeAggregatedList
        {
            Kind = "compute#instanceAggregatedList",
            Id = $"projects/{project}/aggregated/instances",
            SelfLink = $"{EmulatedCompute.Link(project)}/aggregated/instances",
            Items = scopes,
            NextPageToken = next,
            Unreachables = cloud.Faults.Unreachable.Count > 0 ? [.. cloud.Faults.Unreachable.Order(StringComparer.Ordinal)] : null,
        };
    }

    private static IResult Operation(EmulatedCloud cloud, HttpContext context, Func<FailNext?, EmulatedOperation> begin) =>
        EmulatorRequests.Answer(cloud, GcpJson.Default.ComputeOperation, () => Describe(cloud, begin(EmulatorRequests.OperationFailure(context))));

    private static string? RequestId(HttpContext context) => context.Request.Query.TryGetValue("requestId", out var id) ? id.ToString() : null;

    private static EmulatedOperation Find(EmulatedCloud cloud, string project, string zone, string name) =>
        cloud.FindOperation(project, zone, name) ?? throw EmulatorException.NotFound($"projects/{project}/zones/{zone}/operations/{name}");

    private static ComputeOperation Describe(EmulatedCloud cloud, EmulatedOperation operation)
    {
        var isRunning = cloud.Now - operation.StartedAt > (operation.DueAt - operation.StartedAt) / 3;
        return new ComputeOperation
        {
            Kind = "compute#operation",
            Id = operation.Id,
            Name = operation.Name,
            ClientOperationId = operation.RequestId,
            OperationType = operation.Verb,
            Status = operation.IsDone ? ComputeOperation.Done : isRunning ? "RUNNING" : "PENDING",
            Progress = operation.IsDone ? 100 : 0,
            TargetId = operation.TargetId,
            TargetLink = $"https://www.googleapis.com/compute/v1/{operation.Target}",
            User = "someone@example.com",
            Zone = $"{EmulatedCompute.Link(operation.Project)}/zones/{operation.Zone}",
            InsertTime = EmulatedCloud.Text(operation.StartedAt),
            StartTime = isRunning || operation.IsDone ? EmulatedCloud.Text(operation.StartedAt) : null,
            EndTime = operation.EndedAt is { } ended ? EmulatedCloud.Text(ended) : null,
            SelfLink = $"{EmulatedCompute.Link(operation.Project)}/zones/{operation.Zone}/operations/{operation.Name}",
            HttpErrorStatusCode = operation is { IsDone: true, Problem: not null } ? 503 : null,
            HttpErrorMessage = operation is { IsDone: true, Problem: not null } ? "SERVICE UNAVAILABLE" : null,
            Error = operation is { IsDone: true, Problem: { } problem }
                ? new ComputeOperationError([new ComputeOperationProblem { Code = problem.Code, Message = problem.Message, ErrorDetails = problem.Quota is null ? null : [new ComputeProblemDetail { QuotaInfo = problem.Quota }] }])
                : null,
        };
    }

    private static ComputeMachineType Describe(string project, string zone, MachineType type, int index) => new()
    {
        Kind = "compute#machineType",
        Id = (1000 + index).ToString(CultureInfo.InvariantCulture),
        Name = type.Name,
        GuestCpus = type.Cpus,
        MemoryMb = type.MemoryMiB,
        IsSharedCpu = type.IsShared,
        Zone = zone,
        SelfLink = $"{EmulatedCompute.Link(project)}/zones/{zone}/machineTypes/{type.Name}",
        Accelerators = type.Gpus > 0 ? [new ComputeMachineGpus(type.Gpu, type.Gpus)] : null,
    };
}
