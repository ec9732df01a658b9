using System.CommandLine;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Cli;

/// <summary><c>fluster cluster …</c></summary>
internal static class ClusterCommands
{
    public static Command Build() => new("cluster", "Look at the cluster.") { Status() };

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
                ("workers", status.Workers.ToString()),
                ("jobs", status.JobsByState.Count == 0 ? "none" : string.Join(", ", status.JobsByState.Select(state => $"{state.Value} {state.Key}"))));
            return 0;
        });
        return command;
    }
}
