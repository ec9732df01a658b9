using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Fluster.GcpEmulator;

/// <summary>What makes the emulated cloud go wrong: see <see cref="EmulatorOptions.Usage"/>.</summary>
internal static class ControlRoutes
{
    private const string Root = "/_emulator";

    public static void Map(IEndpointRouteBuilder app, EmulatedCloud cloud)
    {
        var compute = new EmulatedCompute(cloud);
        var tpu = new EmulatedTpu(cloud);

        Post<StockoutRequest>("stockout", request => cloud.Faults.Set(new Stockout(request.Zone, request.Shape, request.Queue), request.Clear));
        Post<QuotaRequest>("quota", request =>
        {
            cloud.Faults.Quotas.Remove((request.Metric, request.Where));
            if (request.Limit >= 0)
            {
                cloud.Faults.Quotas[(request.Metric, request.Where)] = request.Limit;
            }
        });
        Post<RateLimitRequest>("ratelimit", request => cloud.Faults.TooMany(request.Count, request.Status, request.RetryAfterSeconds));
        Post<FailNext>("fail-next", cloud.Faults.Add);
        Post<UnreachableRequest>("unreachable", request =>
        {
            cloud.Faults.Unreachable.Clear();
            cloud.Faults.Unreachable.UnionWith(request.Zones);
        });
        Post<LatencyRequest>("latency", request =>
        {
            cloud.OperationTime = request.OperationMs is { } operation ? TimeSpan.FromMilliseconds(operation) : cloud.OperationTime;
            cloud.Faults.RequestLatency = TimeSpan.FromMilliseconds(request.RequestMs);
        });
        Post<PageSizeRequest>("page-size", request => cloud.Faults.MostPerPage = Math.Max(1, request.Most));
        Post<TokenRequest>("refuse-token", request => cloud.Faults.RefuseToken(request.Token));
        Post<PreemptRequest>("preempt", request =>
        {
            var notice = request.NoticeMs is { } milliseconds ? TimeSpan.FromMilliseconds(milliseconds) : cloud.Options.Notice;
            if (cloud.Instances.Values.FirstOrDefault(instance => instance.Name == request.Name) is { } instance)
            {
                compute.Preempt(instance, notice);
            }
            else
            {
                tpu.Preempt(cloud.Nodes.Values.FirstOrDefault(node => node.Id == request.Name) ?? throw EmulatorException.NotFound(request.Name), notice);
            }
        });
        Post<MaintenanceRequest>("maintenance", request => Machine(request.Name).MaintenanceEvent = request.Event);
        Post<MachineRequest>("reboot", request => cloud.Runner.Restart(Machine(request.Name)));

        Do("forget", cloud.ForgetRequests);
        Do("finish", cloud.Finish);
        Do("reset", cloud.Reset);

        app.MapGet($"{Root}/state", () =>
        {
            lock (cloud.Gate)
            {
                cloud.Advance();
                return Results.Json(new
                {
                    instances = cloud.Instances.Values.Select(instance => new { instance.Project, instance.Zone, instance.Name, instance.Resource.Status, machineType = GcpNames.LastPart(instance.Resource.MachineType), instance.Resource.Labels, address = instance.Machine?.Address }).ToList(),
                    nodes = cloud.Nodes.Values.Select(node => new { node.Project, node.Zone, node.Id, node.Resource.State, node.Resource.AcceleratorType, node.Resource.Labels, addresses = node.Machines.Select(machine => machine.Address).ToList(), hosts = node.Machines.Select(machine => machine.Host).ToList() }).ToList(),
                    queuedResources = cloud.QueuedResources.Values.Select(resource => new { resource.Project, resource.Zone, resource.Id, resource.State }).ToList(),
                    made = cloud.Made.ToList(),
                    repetitions = cloud.Repetitions,
                    failures = cloud.Faults.Taken,
                });
            }
        });

        app.MapGet($"{Root}/console/{{name}}", (string name) =>
        {
            lock (cloud.Gate)
            {
                return cloud.Machines.FirstOrDefault(machine => machine.Host == name) is { } machine ? Results.Text(cloud.Runner.Console(machine)) : Results.NotFound();
            }
        });

        EmulatedMachine Machine(string name) => cloud.Machines.FirstOrDefault(machine => machine.Host == name) ?? throw EmulatorException.NotFound(name);

        void Do(string name, Action act) => app.MapPost($"{Root}/{name}", () =>
        {
            lock (cloud.Gate)
            {
                act();
            }

            return Results.NoContent();
        });

        void Post<T>(string name, Action<T> act)
            where T : class =>
            app.MapPost($"{Root}/{name}", async (HttpContext context) =>
            {
                var request = await context.Request.ReadFromJsonAsync<T>(context.RequestAborted);
                try
                {
                    lock (cloud.Gate)
                    {
                        cloud.Advance();
                        act(request ?? throw new EmulatorException(400, "invalid", "The body is null."));
                    }

                    return Results.NoContent();
                }
                catch (EmulatorException refusal)
                {
                    return Results.Text(refusal.Message, statusCode: refusal.Status);
                }
            });
    }

    private sealed record StockoutRequest(string Zone, string Shape = "", bool Queue = false, bool Clear = false);

    private sealed record QuotaRequest(string Metric, string Where, long Limit);

    private sealed record RateLimitRequest(int Count, int Status = 403, int? RetryAfterSeconds = null);

    private sealed record UnreachableRequest(IReadOnlyList<string> Zones);

    private sealed record LatencyRequest(int? OperationMs = null, int RequestMs = 0);

    private sealed record PageSizeRequest(int Most);

    private sealed record TokenRequest(string Token);

    private sealed record PreemptRequest(string Name, int? NoticeMs = null);

    private sealed record MaintenanceRequest(string Name, string Event);

    private sealed record MachineRequest(string Name);
}
