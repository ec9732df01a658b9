namespace Fluster.Controller;

/// <summary>What a backend's word on a machine means for its record.</summary>
internal static class VmFindings
{
    /// <summary>Whether to ask the backend how a machine is: it boots, or its workers are silent.</summary>
    public static bool IsInDoubt(ClusterState state, VmRecord vm) => vm.State switch
    {
        VmState.Booting => true,
        VmState.Ready => vm.Workers.Any(uid => state.Workers.Find(uid) is not { State: WorkerState.Alive }),
        _ => false, // what is not made yet, or being removed, is somebody's work already
    };

    /// <summary>What the machine is condemned for; null: nothing.</summary>
    /// <param name="vm">The machine.</param>
    /// <param name="info">What the backend said; null: it has none.</param>
    /// <param name="missedBefore">It had none the last time, too: a list may lag behind a request that was just accepted.</param>
    public static ClusterInput.CondemnVm? Of(VmRecord vm, VmInfo? info, bool missedBefore) => info switch
    {
        null => vm.State == VmState.Ready || missedBefore ? new ClusterInput.CondemnVm(vm.Uid, "it is gone", VmFailureKind.Unknown) : null,
        { IsPreempted: true } => new ClusterInput.CondemnVm(vm.Uid, Because("the cloud took it away", info), VmFailureKind.Preempted),
        { Status: VmStatus.Stopped } => new ClusterInput.CondemnVm(vm.Uid, Because("it was stopped", info), VmFailureKind.Unknown),
        _ => null,
    };

    private static string Because(string what, VmInfo info) => info.Detail.Length > 0 ? $"{what}: {info.Detail}" : what;
}
