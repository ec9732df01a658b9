using System.CommandLine;
using Fluster.Cluster;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Cli;

/// <summary><c>fluster worker …</c></summary>
internal static class WorkerCommands
{
    public static Command Build() => new("worker", "Look at the workers of the cluster.") { List(), Drain() };

    private static Command Drain()
    {
        var worker = new Argument<string>("worker") { Description = "The worker's id, as 'fluster worker list' prints it." };
        var now = new Option<bool>("--now") { Description = "Also end what runs there. It is tried again elsewhere." };
        var command = new Command("drain", "Gives a worker no new work, and ends it when it is empty.") { worker, now };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var client = FlusterCommand.Connect(parsed);
            var request = new V1.DrainWorkerRequest { WorkerId = parsed.GetValue(worker), Now = parsed.GetValue(now) };
            var response = await client.Calls.CallAsync((service, options) => service.DrainWorkerAsync(request, options), cancellationToken);
            var view = WorkerView.From(response.Worker);
            if (FlusterCommand.IsJson(parsed))
            {
                Output.Json([view], ViewJson.Default.IReadOnlyListWorkerView);
                return 0;
            }

            Output.Note(view.RunningAttempts == 0
                ? $"{view.Id} gets no new work and ends now."
                : $"{view.Id} gets no new work and ends when its {view.RunningAttempts} running {(view.RunningAttempts == 1 ? "attempt has" : "attempts have")} ended.");
            return 0;
        });
        return command;
    }

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
