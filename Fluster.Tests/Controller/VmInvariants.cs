using Fluster.Controller;
using Assert = Fluster.Tests.InvariantAssert;

namespace Fluster.Tests;

/// <summary>What holds of machines after every step.</summary>
internal static class VmInvariants
{
    public static void Check(ClusterState before, ClusterState after)
    {
        foreach (var vm in after.Vms.Ascending())
        {
            Assert.True(vm.State != VmState.Ready || vm.IsComplete, $"{vm.Id} is ready, and of its workers [{string.Join(", ", vm.Workers)}] came.");
            Assert.True(vm.IsComing == vm.BootDue > 0, $"{vm.Id} is {vm.State} and due at {vm.BootDue}.");
            var workers = vm.Workers.Where(uid => uid != 0).Select(uid => after.Workers.Find(uid)).ToList();
            Assert.True(workers.TrueForAll(worker => worker?.VmUid == vm.Uid), $"{vm.Id} names workers that are not its own.");
            Assert.True(vm.IsWanted || workers.TrueForAll(worker => worker!.Draining), $"{vm.Id} is being released, and something may be placed there.");
            Assert.True(!vm.IsWanted || !workers.Exists(worker => worker!.State == WorkerState.Lost), $"{vm.Id} has lost a worker, and is {vm.State}.");
            var idle = vm.State == VmState.Ready && workers.TrueForAll(worker => worker!.Held.IsEmpty);
            Assert.True(idle == vm.IdleSince > 0, $"{vm.Id} is {vm.State}, and idle since {vm.IdleSince}.");
            var was = before.Vms.Find(vm.Uid);
            Assert.True(was is null || was.IsWanted || !vm.IsWanted, $"{vm.Id} was to be released and is {vm.State}.");
            Assert.True(was is null || was.RequestId == vm.RequestId && was.Id == vm.Id, $"{vm.Id} is another machine than {was?.Id}.");
        }

        foreach (var vm in before.Vms.Ascending().Where(vm => after.Vms.Find(vm.Uid) is null))
        {
            Assert.True(vm.State == VmState.Releasing, $"{vm.Id} was {vm.State} and is forgotten.");
            Assert.DoesNotContain(after.Workers.Ascending(), worker => worker.VmUid == vm.Uid);
        }

        Assert.DoesNotContain(after.Workers.Ascending(), worker => worker.VmUid != 0 && after.Vms.Find(worker.VmUid)?.Workers[worker.VmIndex] != worker.Uid);
        Assert.DoesNotContain(after.Attempts.Ascending(), attempt => !attempt.Dead && after.Workers.Find(attempt.WorkerUid) is null);
    }
}
