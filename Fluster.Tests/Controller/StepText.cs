using System.Text;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>A step as text: equal texts, equal steps (records hold arrays, which compare by reference).</summary>
internal static class StepText
{
    public static string Of(StepResult result)
    {
        var text = new StringBuilder($"{result.Rejection} {result.Subject} {result.Existed} {result.Changes.Meta}\n");
        foreach (var (_, job) in result.Changes.Jobs.Records)
        {
            text.AppendLine($"{job}");
        }

        foreach (var (_, task) in result.Changes.Tasks.Records)
        {
            text.AppendLine($"{task} {string.Join(',', task.Attempts)}");
        }

        foreach (var (_, attempt) in result.Changes.Attempts.Records)
        {
            text.AppendLine($"{attempt} {string.Join(',', attempt.Ports)}");
        }

        foreach (var (_, worker) in result.Changes.Workers.Records)
        {
            text.AppendLine($"{worker} {string.Join(',', worker.Held)}");
        }

        foreach (var job in result.Changes.ArchivedJobs)
        {
            text.AppendLine($"archived {job}");
        }

        foreach (var (_, tombstone) in result.Changes.Tombstones.Records)
        {
            text.AppendLine($"+ {tombstone}");
        }

        foreach (var tombstone in result.Changes.RemovedTombstones)
        {
            text.AppendLine($"- {tombstone}");
        }

        foreach (var (_, endpoint) in result.Changes.Endpoints.Records)
        {
            text.AppendLine($"+ {endpoint}");
        }

        foreach (var endpoint in result.Changes.RemovedEndpoints)
        {
            text.AppendLine($"- {endpoint}");
        }

        foreach (var (_, registration) in result.Changes.Registrations.Records)
        {
            text.AppendLine($"{registration}");
        }

        foreach (var registration in result.Changes.RemovedRegistrations)
        {
            text.AppendLine($"- {registration}");
        }

        foreach (var worker in result.Changes.RemovedWorkers)
        {
            text.AppendLine($"- {worker}");
        }

        foreach (var (_, vm) in result.Changes.Vms.Records)
        {
            text.AppendLine($"{vm} {string.Join(',', vm.Workers)}");
        }

        foreach (var vm in result.Changes.RemovedVms)
        {
            text.AppendLine($"- {vm}");
        }

        foreach (var (_, block) in result.Changes.VmBlocks.Records)
        {
            text.AppendLine($"{block}");
        }

        foreach (var block in result.Changes.RemovedVmBlocks)
        {
            text.AppendLine($"- {block}");
        }

        foreach (var action in result.Changes.Actions)
        {
            text.AppendLine($"{action}");
        }

        return text.AppendJoin('\n', result.Effects).ToString();
    }
}
