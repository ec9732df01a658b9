using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Fluster.GcpEmulator;

/// <summary>What Cloud TPU does. Under the cloud's lock.</summary>
internal sealed partial class EmulatedTpu(EmulatedCloud cloud)
{
    public EmulatedOperation CreateNode(string project, string zone, string? id, TpuNode body, FailNext? failure)
    {
        Check(project, zone, id, body);
        if (cloud.Nodes.ContainsKey((project, zone, id!)))
        {
            throw new EmulatorException(409, "alreadyExists", $"Resource '{NodeName(project, zone, id!)}' already exists");
        }

        CheckQuota(project, zone, body);
        return Make(project, zone, id!, body, queuedResource: null, Problem(zone, body, failure));
    }

    public EmulatedNode GetNode(string project, string zone, string id) =>
        cloud.Nodes.GetValueOrDefault((project, zone, id)) ?? throw EmulatorException.NotFound(NodeName(project, zone, id));

    public EmulatedOperation DeleteNode(string project, string zone, string id, FailNext? failure)
    {
        var node = GetNode(project, zone, id);
        var problem = failure is null ? null : new EmulatedProblem(failure.Code, failure.RpcCode, failure.Message);
        if (problem is null)
        {
            node.IsDeleting = true;
            node.Resource = node.Resource with { State = "DELETING" };
        }

        return cloud.Begin(project, zone, "delete", NodeName(project, zone, id), "", requestId: null, () => Remove(node), problem, response: Empty);
    }

    public EmulatedOperation StopNode(string project, string zone, string id)
    {
        var node = GetNode(project, zone, id);
        if (node.Machines.Count > 1)
        {
            throw new EmulatorException(400, "invalid", "Cloud TPU received a bad request. Stopping is not supported for pod nodes.");
        }

        return cloud.Begin(project, zone, "stop", NodeName(project, zone, id), "", requestId: null, () =>
        {
            node.Resource = node.Resource with { State = "STOPPED" };
            PowerOff(node);
        }, response: () => ToElement(node.Resource, GcpJson.Default.TpuNode, "google.cloud.tpu.v2.Node"));
    }

    public EmulatedOperation PatchNode(string project, string zone, string id, TpuNode body, string? mask)
    {
        var node = GetNode(project, zone, id);
        if (node.Resource.State == "CREATING")
        {
            throw new EmulatorException(400, "invalid", $"Cloud TPU received a bad request. unable to queue the operation: {id} is being created.") { RpcStatus = "FAILED_PRECONDITION" };
        }

        if (mask != "labels")
        {
            throw EmulatorException.Invalid("updateMask", mask ?? "", "Only labels can be updated.");
        }

        node.Resource = node.Resource with { Labels = body.Labels };
        return cloud.Begin(project, zone, "update", NodeName(project, zone, id), "", requestId: null, () => { }, response: () => ToElement(node.Resource, GcpJson.Default.TpuNode, "google.cloud.tpu.v2.Node"));
    }

    public EmulatedOperation CreateQueuedResource(string project, string zone, string? id, TpuQueuedResource body, string? requestId, FailNext? failure)
    {
        if (cloud.Repeated(project, requestId) is { } repeated)
        {
            return repeated;
        }

        if (id is null || !NodeId().IsMatch(id) || body.Tpu?.NodeSpec is not [{ NodeId: { } nodeId, Node: { } node } spec] || spec.Parent != $"projects/{project}/locations/{zone}")
        {
            throw EmulatorException.Invalid("queued_resource", id ?? "", "A queued resource needs a name and one node spec with a parent, an id and a node.");
        }

        Check(project, zone, nodeId, node);
        if (cloud.QueuedResources.ContainsKey((project, zone, id)) || cloud.Nodes.ContainsKey((project, zone, nodeId)))
        {
            throw new EmulatorException(409, "alreadyExists", $"Resource '{QueueName(project, zone, id)}' already exists");
        }

        CheckQuota(project, zone, node);
        var now = cloud.Now;
        var seconds = body.QueueingPolicy?.ValidUntilDuration is { } text && text.EndsWith('s') && double.TryParse(text[..^1], NumberStyles.Float, CultureInfo.InvariantCulture, out var valid) ? valid : TimeSpan.FromDays(1).TotalSeconds;
        var resource = new EmulatedQueuedResource(project, zone, id, body with { Name = QueueName(project, zone, id), CreateTime = EmulatedCloud.Text(now), State = new TpuQueueState { State = "CREATING" } }, now.AddSeconds(seconds));
        cloud.QueuedResources[(project, zone, id)] = resource;
        cloud.Made.Add(new MadeResource("queuedResources", project, zone, id, node.AcceleratorType!, cloud.QueuedResources.Count));
        if (failure?.Mode == "operation-leave")
        {
            Queue(resource, failure: null);
        }

        return cloud.Begin(
            project, zone, "create", QueueName(project, zone, id), "", requestId,
            () => Queue(resource, failure),
            failure is null || failure.Mode == "operation" ? null : new EmulatedProblem(failure.Code, failure.RpcCode, failure.Message),
            response: () => ToElement(resource.Resource, GcpJson.Default.TpuQueuedResource, "google.cloud.tpu.v2.QueuedResource"));
    }

    public EmulatedQueuedResource GetQueuedResource(string project, string zone, string id) =>
        cloud.QueuedResources.GetValueOrDefault((project, zone, id)) ?? throw EmulatorException.NotFound(QueueName(project, zone, id));

    public EmulatedOperation DeleteQueuedResource(string project, string zone, string id, bool isForced, string? requestId, FailNext? failure)
    {
        if (cloud.Repeated(project, requestId) is { } repeated)
        {
            return repeated;
        }

        var resource = GetQueuedResource(project, zone, id);
        var node = cloud.Nodes.GetValueOrDefault((project, zone, resource.NodeId));
        if (node is not null && !isForced)
        {
            throw new EmulatorException(400, "invalid", $"The queued resource {id} has nodes: use force to delete both.") { RpcStatus = "FAILED_PRECONDITION" };
        }

        var problem = failure is null ? null : new EmulatedProblem(failure.Code, failure.RpcCode, failure.Message);
        if (problem is null)
        {
            SetState(resource, "DELETING");
            if (node is not null)
            {
                node.IsDeleting = true;
                node.Resource = node.Resource with { State = "DELETING" };
            }
        }

        return cloud.Begin(project, zone, "delete", QueueName(project, zone, id), "", requestId, () =>
        {
            cloud.QueuedResources.Remove((project, zone, id));
            if (node is not null)
            {
                Remove(node);
            }
        }, problem, response: Empty);
    }

    /// <summary>The cloud takes a slice away: its hosts are told, and after the notice the node is preempted and stays, and its queued resource is suspended.</summary>
    public void Preempt(EmulatedNode node, TimeSpan notice)
    {
        foreach (var machine in node.Machines)
        {
            machine.IsPreempted = true;
        }

        cloud.Later(notice, () =>
        {
            if (!cloud.Nodes.ContainsValue(node) || node.IsDeleting)
            {
                return;
            }

            node.Resource = node.Resource with { State = "PREEMPTED" };
            PowerOff(node);
            if (cloud.QueuedResources.Values.FirstOrDefault(resource => resource.Project == node.Project && resource.Zone == node.Zone && resource.NodeId == node.Id) is { } resource)
            {
                SetState(resource, "SUSPENDED", initiator: "SERVICE");
            }
        });
    }

    /// <summary>Moves a request on: to its slice, to failure, or nowhere yet.</summary>
    private void Queue(EmulatedQueuedResource resource, FailNext? failure)
    {
        if (resource.State == "DELETING")
        {
            return;
        }

        var spec = resource.Resource.Tpu!.NodeSpec![0];
        if (cloud.Faults.StockoutFor(resource.Zone, spec.Node!.AcceleratorType!) is { IsQueue: true } && failure is null)
        {
            if (cloud.Now >= resource.ValidUntil)
            {
                SetState(resource, "FAILED", new RpcStatus { Code = 4, Message = "The queued resource was not fulfilled before its valid until time." });
            }
            else
            {
                SetState(resource, "WAITING_FOR_RESOURCES");
                cloud.Later(TimeSpan.FromMilliseconds(50), () => Queue(resource, failure: null));
            }

            return;
        }

        if (Problem(resource.Zone, spec.Node, failure) is { } problem)
        {
            SetState(resource, "FAILED", new RpcStatus { Code = problem.RpcCode, Message = problem.Message });
            return;
        }

        SetState(resource, "PROVISIONING");
        Make(resource.Project, resource.Zone, spec.NodeId!, spec.Node, QueueName(resource.Project, resource.Zone, resource.Id), problem: null, () => SetState(resource, "ACTIVE"));
    }

    private EmulatedOperation Make(string project, string zone, string id, TpuNode body, string? queuedResource, EmulatedProblem? problem, Action? onReady = null)
    {
        var machine = TpuMachines.Find(body.AcceleratorType!)!;
        var key = (project, zone, id);
        var node = new EmulatedNode(project, zone, id, body with
        {
            Name = NodeName(project, zone, id),
            Id = cloud.NextId(),
            State = "CREATING",
            ApiVersion = "V2",
            CreateTime = EmulatedCloud.Text(cloud.Now),
            QueuedResource = queuedResource,
            AcceleratorConfig = new TpuAcceleratorConfig(machine.Generation, machine.Chips),
            NetworkConfig = body.NetworkConfig is { } network ? network with { EnableExternalIps = network.EnableExternalIps == true ? true : null } : null,
        });
        cloud.Nodes[key] = node;
        var made = new MadeResource("nodes", project, zone, id, body.AcceleratorType!, cloud.Nodes.Count);
        cloud.Made.Add(made);
        return cloud.Begin(
            project, zone, "create", NodeName(project, zone, id), "", requestId: null,
            () => Run(node, machine, onReady),
            problem,
            onFailed: () =>
            {
                made.Failed = true;
                cloud.Nodes.Remove(key);
            },
            response: () => ToElement(node.Resource with { Health = null }, GcpJson.Default.TpuNode, "google.cloud.tpu.v2.Node"));
    }

    private void Run(EmulatedNode node, TpuMachine shape, Action? onReady)
    {
        if (node.IsDeleting || !cloud.Nodes.ContainsValue(node))
        {
            return;
        }

        var addresses = Enumerable.Range(0, shape.Topology.Vms).Select(_ => cloud.NextAddress()).ToList();
        var endpoints = string.Join(',', addresses.Select((address, index) => $"unknown:unknown:{address}"));
        node.Machines =
        [
            .. addresses.Select((address, index) => new EmulatedMachine($"{node.Id}-w-{index}")
            {
                Address = address,
                Zone = node.Zone,
                Project = node.Project,
                Id = cloud.NextId(),
                MachineType = "ct5lp-hightpu-4t",
                IsSpot = node.Resource.SchedulingConfig is { Spot: true } or { Preemptible: true },
                Attributes = new Dictionary<string, string>(node.Resource.Metadata ?? [], StringComparer.Ordinal)
                {
                    ["accelerator-type"] = shape.Topology.Variant,
                    ["agent-worker-number"] = index.ToString(CultureInfo.InvariantCulture),
                    ["worker-network-endpoints"] = endpoints,
                    ["instance-id"] = node.Id,
                    ["tpu-env"] = TpuEnvironment(node, shape, index),
                },
            }),
        ];
        node.Resource = node.Resource with
        {
            State = "READY",
            Health = "HEALTHY",
            NetworkEndpoints = [.. addresses.Select(address => new TpuNetworkEndpoint { IpAddress = address, Port = 8470, AccessConfig = new TpuAccessConfig() })],
        };
        onReady?.Invoke();
        foreach (var machine in node.Machines)
        {
            cloud.Boot(machine);
        }
    }

    private static string TpuEnvironment(EmulatedNode node, TpuMachine shape, int index) =>
        string.Join('\n',
            $"ACCELERATOR_TYPE: '{shape.Topology.Variant}'",
            $"NODE_ID: '{node.Id}'",
            $"WORKER_ID: '{index}'",
            $"CHIPS_PER_HOST_BOUNDS: '{(shape.Topology.ChipsPerVm switch { 1 => "1,1,1", 2 => "1,2,1", 8 => "2,4,1", _ => "2,2,1" })}'",
            $"TOPOLOGY: '{shape.Chips}'",
            $"ZONE: '{node.Zone}'") + "\n";

    private void Remove(EmulatedNode node)
    {
        cloud.Nodes.Remove((node.Project, node.Zone, node.Id));
        PowerOff(node);
    }

    private void PowerOff(EmulatedNode node)
    {
        foreach (var machine in node.Machines)
        {
            cloud.PowerOff(machine);
        }

        node.Machines = [];
    }

    private EmulatedProblem? Problem(string zone, TpuNode body, FailNext? failure) =>
        failure is not null
            ? new EmulatedProblem(failure.Code, failure.RpcCode, failure.Message)
            : cloud.Faults.StockoutFor(zone, body.AcceleratorType!) is not null
                ? new EmulatedProblem("", 8, $"There is no more capacity in the zone \"{zone}\"; you can try in another zone where Cloud TPU Nodes are offered (see https://cloud.google.com/tpu/docs/regions) [EID: 0x0]")
                : null;

    private void Check(string project, string zone, string? id, TpuNode body)
    {
        cloud.CheckZone(zone);
        if (id is null || !NodeId().IsMatch(id) || project.Length == 0)
        {
            throw EmulatorException.Invalid("nodeId", id ?? "", "Must be a match of regex '^[A-Za-z0-9_.~+%-]+$'");
        }

        if (body.AcceleratorType is not { } type || TpuMachines.Find(type) is null || type == "v5litepod-2")
        {
            throw new EmulatorException(400, "invalid", $"Cloud TPU received an invalid AcceleratorType, \"{body.AcceleratorType}\" for zone \"{zone}\". Valid values are {string.Join(", ", TpuMachines.All.Take(5).Select(machine => $"\"{machine.Topology.Variant}\""))}.");
        }

        if (string.IsNullOrEmpty(body.RuntimeVersion))
        {
            throw new EmulatorException(400, "invalid", "Cloud TPU received a bad request. A runtime version is required.");
        }
    }

    private void CheckQuota(string project, string zone, TpuNode body)
    {
        var chips = cloud.Nodes.Values.Where(node => node.Project == project && node.Zone == zone).Sum(node => TpuMachines.Find(node.Resource.AcceleratorType!)!.Topology.Chips) + TpuMachines.Find(body.AcceleratorType!)!.Topology.Chips;
        if (!cloud.Faults.Quotas.TryGetValue(("TPU_CHIPS", zone), out var limit) || chips <= limit)
        {
            return;
        }

        // Not only the message says so: clients that look only at the status take it for a rate.
        var detail = $$"""{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"subject":"project:1","description":"Quota 'TPUChipsPerProjectPerZoneForTPUAPI' exhausted. Limit {{limit}} in zone {{zone}}"}]}""";
        throw new EmulatorException(429, "rateLimitExceeded", "Resource has been exhausted (e.g. check quota).") { Details = [JsonDocument.Parse(detail).RootElement.Clone()] };
    }

    private static void SetState(EmulatedQueuedResource resource, string state, RpcStatus? error = null, string? initiator = null) =>
        resource.Resource = resource.Resource with { State = new TpuQueueState { State = state, StateInitiator = initiator, FailedData = error is null ? null : new TpuFailedData(error) } };

    private static JsonElement? Empty() => JsonDocument.Parse("""{"@type":"type.googleapis.com/google.protobuf.Empty"}""").RootElement.Clone();

    private static JsonElement? ToElement<T>(T value, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, string name)
    {
        var node = JsonSerializer.SerializeToNode(value, type)!.AsObject();
        node["@type"] = $"type.googleapis.com/{name}";
        return JsonDocument.Parse(node.ToJsonString()).RootElement.Clone();
    }

    public static string NodeName(string project, string zone, string id) => $"projects/{project}/locations/{zone}/nodes/{id}";

    public static string QueueName(string project, string zone, string id) => $"projects/{project}/locations/{zone}/queuedResources/{id}";

    [GeneratedRegex("^[A-Za-z0-9_.~+%-]+$", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex NodeId();
}
