using System.CommandLine;
using Fluster.Cluster;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Cli;

/// <summary><c>fluster cluster …</c></summary>
internal static class ClusterCommands
{
    public static Command Build() => new("cluster", "Start a cluster on this machine, look at the one there is, open its pages, and have it take over workers.") { ClusterUpCommand.Build(), Status(), DashboardCommand.Build(), Adopt() };

    private static Command Status()
    {
        var command = new Command("status", "Shows the controller, its workers and how many jobs are in which state.");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var client = FlusterCommand.Connect(parsed);
            var status = ClusterView.From(
                client.Address,
                await client.Calls.CallAsync((service, options) => service.GetClusterStatusAsync(new V1.GetClusterStatusRequest(), options), cancellationToken));
            if (FlusterCommand.IsJson(parsed))
            {
                Output.Json(status, ViewJson.Default.ClusterView);
                return 0;
            }

            Output.Pairs(
                ("cluster", status.ClusterId),
                ("controller", status.Address),
                ("pages", status.HttpAddress),
                ("version", status.Version),
                ("up for", Words.Time(status.Uptime)),
                ("start number", status.Epoch.ToString()),
                ("endpoints in", status.Registry),
                ("workers", status.MassSilence ? $"{status.Workers}, most of them silent at once: none is given up for four times as long as usual" : status.Workers.ToString()),
                ("jobs", status.JobsByState.Count == 0 ? "none" : string.Join(", ", status.JobsByState.Select(state => $"{state.Value} {state.Key}"))));
            return 0;
        });
        return command;
    }

    private static Command Adopt()
    {
        var other = new Argument<string?>("cluster")
        {
            Description = "The id of another cluster, whose workers are to be taken over. Without it: workers of this cluster that know a later state of it, as after a restore.",
            DefaultValueFactory = _ => null,
        };
        var command = new Command(
            "adopt", "Takes over workers that were refused because they know another cluster or a later state of this one. What they run and this cluster does not know is killed. Needs the role admin.") { other };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var client = FlusterCommand.Connect(parsed);
            var request = new V1.AdoptWorkersRequest { ClusterId = parsed.GetValue(other) ?? "" };
            var response = await client.Calls.CallAsync((service, options) => service.AdoptWorkersAsync(request, options), cancellationToken);
            if (response.Adopted.Count > 0)
            {
                Output.Line($"{Names(response.Adopted)} will be let in. The cluster is at epoch {response.Epoch}.");
                return 0;
            }

            var others = response.Refused.GroupBy(worker => worker.ClusterId, StringComparer.Ordinal).ToList();
            throw new CommandFailedException(others.Count == 0
                ? "No such worker has tried to come since the controller started. A worker tries again every few seconds: see its log for the address that it uses."
                : $"No such worker has tried to come, but others did: {string.Join("; ", others.Select(group => $"{Names(group)} of cluster {group.Key} ('fluster cluster adopt {group.Key}')"))}.");
        });
        return command;
    }

    private static string Names(IEnumerable<V1.RefusedWorker> workers) => string.Join(", ", workers.Select(worker => worker.WorkerId));
}
