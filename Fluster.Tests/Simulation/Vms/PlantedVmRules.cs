using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>The rules for machines with one mistake in them.</summary>
internal static class PlantedVmRules
{
    public static StepRule For(PlantedVmBug bug) => bug == PlantedVmBug.ForgottenBeforeItIsGone ? Forget : ClusterMachine.Step;

    /// <summary>A create that failed has made nothing, or has it.</summary>
    private static StepResult Forget(ClusterView view, ClusterInput input, ClusterNow now)
    {
        var result = ClusterMachine.Step(view, input, now);
        foreach (var (uid, vm) in input is ClusterInput.VmCreateEnded { Failure: not null } ? result.Changes.Vms.Records.ToArray() : [])
        {
            if (vm.State == VmState.Releasing && view.Vm(uid) is { } before && before.Workers.All(worker => worker == 0))
            {
                result.Changes.RemovedVms.Add(vm);
            }
        }

        return result;
    }
}
