using System.CommandLine;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Cli;

/// <summary><c>fluster worker …</c></summary>
internal static class WorkerCommands
{
    public static Command Build() => new("worker", "Look at the workers of the cluster.") { List() };

    private static Command List()
    {
        var command = new Command("list", "Lists the workers: what they have, what is in use, how they are.");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var client = FlusterCommand.Connect(parsed);
            var response = await client.Calls.CallAsync((service, options) => service.ListWorkersAsync(new V1.ListWorkersRequest(), options), cancellationToken);
            var now = TimeProvider.System.GetUtcNow();
            var workers = response.Workers.OrderBy(worker => worker.WorkerId, StringComparer.Ordinal).Select(WorkerView.From).ToList();
            if (FlusterCommand.IsJson(parsed))
            {
                Output.Json(workers, ViewJson.Default.IReadOnlyListWorkerView);
                return 0;
            }

            if (workers.Count == 0)
            {
                Output.Note("There are no workers.");
                return 0;
            }

            var table = new TextTable("WORKER", "STATE", "JOBS", "CPU", "MEMORY", "ISOLATION", "HEARD", "PROBLEMS");
            foreach (var worker in workers)
            {
                table.Add(
                    worker.Id,
                    worker.State,
                    $"{worker.RunningAttempts}/{worker.MaxConcurrentJobs}",
                    $"{worker.CpuUsed:0.###}/{worker.Cpu:0.###}",
                    $"{Words.Size(worker.MemoryUsed)}/{Words.Size(worker.Memory)}",
                    worker.Isolation,
                    worker.LastHeardAt is { } heard ? $"{Words.Time(now - heard)} ago" : "-",
                    string.Join("; ", worker.Problems));
            }

            table.Write();
            return 0;
        });
        return command;
    }
}
