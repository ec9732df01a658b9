using System.CommandLine;
using Fluster.Cluster;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Cli;

/// <summary><c>fluster vm …</c></summary>
internal static class VmCommands
{
    public static Command Build() => new("vm", "Look at the machines that backends make for the cluster.") { List() };

    private static Command List()
    {
        var command = new Command("list", "Lists the machines: where they are, how far, which workers came, and where none are to be had now.");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var client = FlusterCommand.Connect(parsed);
            var response = await client.Calls.CallAsync((service, options) => service.ListVmsAsync(new V1.ListVmsRequest(), options), cancellationToken);
            var now = TimeProvider.System.GetUtcNow();
            var list = VmListView.From(response);
            if (FlusterCommand.IsJson(parsed))
            {
                Output.Json(list, ViewJson.Default.VmListView);
                return 0;
            }

            if (list.Vms.Count == 0)
            {
                Output.Note("There are no machines of backends.");
            }
            else
            {
                var table = new TextTable("MACHINE", "STATE", "BACKEND", "SHAPE", "ZONE", "WORKERS", "AGE", "WHY");
                foreach (var vm in list.Vms)
                {
                    table.Add(
                        vm.Id,
                        vm.Idle ? "Idle" : vm.State,
                        vm.Backend,
                        vm.Shape,
                        vm.Zone.Length > 0 ? vm.Zone : "-",
                        $"{vm.Workers.Count}/{vm.WorkerCount}",
                        vm.RequestedAt is { } requested ? Words.Time(now - requested) : "-",
                        vm.Detail.Length > 0 ? vm.Detail : vm.Job is { } job ? $"for {job}" : "");
                }

                table.Write();
            }

            foreach (var block in list.Blocked)
            {
                Output.Note($"None are asked for in {(block.Scope.Length > 0 ? block.Scope : block.Backend)} until {block.Until:HH:mm:ss} UTC ({block.Kind}): {block.Message}");
            }

            return 0;
        });
        return command;
    }
}
