using System.Collections.Immutable;
using System.Globalization;

namespace Fluster.Controller;

/// <summary>Machines of backends: asked for, coming, worth keeping or not, and gone.</summary>
internal static class VmRules
{
    /// <summary>No slice has more.</summary>
    private const int MostWorkers = 4096;

    public static StepResult Request(StepDraft draft, ClusterInput.RequestVms input)
    {
        var asked = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var wish in input.Wishes)
        {
            var count = draft.View.VmsOf(wish.Backend) + asked.GetValueOrDefault(wish.Backend);
            if (IsWanted(draft, wish) && count < wish.Most)
            {
                asked[wish.Backend] = asked.GetValueOrDefault(wish.Backend) + 1;
                Add(draft, wish);
            }
        }

        return draft.Accepted();
    }

    /// <summary>The backend has answered a request; again, perhaps.</summary>
    public static StepResult CreateEnded(StepDraft draft, ClusterInput.VmCreateEnded input)
    {
        if (draft.FindVm(input.VmUid) is not { } vm)
        {
            return draft.Accepted();
        }

        if (input.Failure is not { } failure)
        {
            PutIfChanged(draft, vm, vm.After(new VmEvent.Accepted(), draft.Now));
            return draft.Accepted(vm.Uid);
        }

        if (vm.State != VmState.Ready)
        {
            Block(draft, vm, failure);
            Release(draft, vm, vm.After(new VmEvent.Failed(failure.Message), draft.Now));
        }

        return draft.Accepted(vm.Uid);
    }

    /// <summary>A machine is not there any more, or not worth keeping.</summary>
    public static StepResult Condemn(StepDraft draft, ClusterInput.CondemnVm input)
    {
        if (draft.FindVm(input.VmUid) is not { IsWanted: true } vm)
        {
            return draft.Accepted();
        }

        if (input.Failure is { } kind && vm.State != VmState.Ready)
        {
            Block(draft, vm, new VmFailure(kind, input.Reason));
        }

        Condemn(draft, vm, input.Reason);
        return draft.Accepted(vm.Uid);
    }

    public static StepResult ReleaseIdle(StepDraft draft, ClusterInput.ReleaseIdleVms input)
    {
        foreach (var uid in input.Vms)
        {
            // What was placed there in between stays there.
            if (draft.FindVm(uid) is { State: VmState.Ready, IdleSince: > 0 } vm && draft.Now.Time - vm.IdleSince >= vm.IdleFor)
            {
                Condemn(draft, vm, $"it had nothing to do for {TimeSpan.FromMilliseconds(vm.IdleFor).TotalSeconds:0.#} s");
            }
        }

        return draft.Accepted();
    }

    /// <summary>
    /// The backend says that a machine is gone: nothing runs there any more, whatever its workers said last. What ran ends as lost with its worker, what it held is
    /// given back, and the records of the workers go with it.
    /// </summary>
    public static StepResult ReleaseEnded(StepDraft draft, ClusterInput.VmReleaseEnded input)
    {
        if (draft.FindVm(input.VmUid) is not { State: VmState.Releasing } vm)
        {
            return draft.Accepted();
        }

        foreach (var uid in vm.Workers)
        {
            foreach (var fence in draft.FindWorker(uid)?.Held ?? [])
            {
                if (draft.Work >= ClusterMachine.MostWork)
                {
                    draft.Effect(new ClusterEffect.GoOn(input));
                    return draft.Accepted(vm.Uid);
                }

                if (draft.FindAttempt(fence) is { IsLive: true } live)
                {
                    AttemptRules.End(draft, live, outcome: null);
                }

                draft.Work++;
                AttemptRules.Bury(draft, fence);
            }
        }

        foreach (var uid in vm.Workers)
        {
            if (draft.FindWorker(uid) is { } worker)
            {
                draft.Remove(worker);
            }
        }

        draft.Remove(vm);
        return draft.Accepted(vm.Uid);
    }

    /// <summary>Its workers have not all come in time.</summary>
    public static void BootIsOver(StepDraft draft, long uid)
    {
        draft.Work++;
        if (draft.FindVm(uid) is not { IsComing: true } vm)
        {
            return;
        }

        var came = vm.Workers.Count(worker => worker != 0);
        var why = string.Create(CultureInfo.InvariantCulture, $"{(vm.Workers.Length == 1 ? "its worker did not come" : $"{came} of its {vm.Workers.Length} workers came")} within {(vm.BootDue - vm.RequestedTime) / 1000} s");
        Block(draft, vm, new VmFailure(VmFailureKind.Unknown, $"{vm.Id}: {why}"));
        Condemn(draft, vm, why);
    }

    public static void ForgetBlock(StepDraft draft, long uid)
    {
        draft.Work++;
        if (draft.View.VmBlock(uid) is { } block)
        {
            draft.Remove(block);
        }
    }

    /// <summary>Whether a worker that says Hello with the token or the credential of a machine is let in.</summary>
    /// <returns>Why not; null: it is.</returns>
    public static Rejection? Refuse(StepDraft draft, ClusterInput.Hello input, WorkerRecord? known)
    {
        if (input.Pass is not { } pass)
        {
            return null;
        }

        if (draft.View.FindVm(pass.Vm) is not (var uid and not 0) || draft.FindVm(uid) is not { } vm)
        {
            return new Rejection(RejectionKind.FailedPrecondition, $"Machine '{pass.Vm}' is not one of this cluster's any more.");
        }

        if (IndexOf(vm, input.Worker) < 0)
        {
            return new Rejection(RejectionKind.PermissionDenied, $"Worker '{input.Worker}' is not one of machine '{vm.Id}', whose token it shows.");
        }

        if (pass.IsFirst && known is { HasCredential: true })
        {
            return new Rejection(
                RejectionKind.PermissionDenied, $"The token of machine '{vm.Id}' lets worker '{input.Worker}' in once, and it was used: the worker has a credential of its own since, and this one has not.");
        }

        return vm.State == VmState.Releasing && known is null
            ? new Rejection(RejectionKind.FailedPrecondition, $"Machine '{vm.Id}' is being released: {vm.Reason}.")
            : null;
    }

    /// <summary>A worker of a machine is here: the machine is ready when all of them are.</summary>
    public static WorkerRecord Join(StepDraft draft, ClusterInput.Hello input, WorkerRecord worker)
    {
        if (input.Pass is not { } pass)
        {
            return worker.VmUid != 0 && draft.FindVm(worker.VmUid) is { IsWanted: false } ? worker with { Draining = true } : worker;
        }

        var vm = draft.FindVm(draft.View.FindVm(pass.Vm))!;
        var index = IndexOf(vm, input.Worker);
        worker = worker with
        {
            VmUid = vm.Uid,
            VmIndex = index,
            HasCredential = worker.HasCredential || !pass.IsFirst,
            Draining = worker.Draining || !vm.IsWanted,
        };
        if (vm.Workers[index] == worker.Uid)
        {
            return worker;
        }

        draft.Put(worker);
        vm = vm with { Workers = vm.Workers.SetItem(index, worker.Uid) };
        draft.Put(vm);
        if (vm is { IsComing: true, IsComplete: true })
        {
            draft.Put(vm.After(new VmEvent.Complete(), draft.Now));
            Judge(draft, vm);
        }

        return worker;
    }

    /// <summary>
    /// What a step comes to for the machines of the workers that it changed: one whose worker was lost is condemned, with the whole slice, and one on which nothing
    /// is left begins to be idle. Found by what is different, so no rule can forget to say so.
    /// </summary>
    public static void AfterStep(StepDraft draft)
    {
        foreach (var uid in draft.TouchedVms() ?? [])
        {
            if (draft.FindVm(uid) is not { IsWanted: true } vm)
            {
                continue;
            }

            var (lost, busy) = Look(draft, vm);
            if (lost is not null)
            {
                Condemn(draft, vm, $"its worker {lost.Id} is lost");
            }
            else if (vm.State == VmState.Ready && busy == vm.IdleSince > 0)
            {
                draft.Put(vm with { IdleSince = busy ? 0 : draft.Now.Time });
            }
        }
    }

    private static (WorkerRecord? Lost, bool Busy) Look(StepDraft draft, VmRecord vm)
    {
        var busy = false;
        foreach (var uid in vm.Workers)
        {
            if (draft.FindWorker(uid) is { } worker)
            {
                if (worker.State == WorkerState.Lost)
                {
                    return (worker, true);
                }

                busy |= !worker.Held.IsEmpty;
            }
        }

        return (null, busy);
    }

    private static bool IsWanted(StepDraft draft, VmWish wish) =>
        wish.Workers is >= 1 and <= MostWorkers
        && draft.View.FindVm(wish.Id) == 0
        && (wish.ForJob == 0 || draft.FindJob(wish.ForJob) is { IsLive: true, Stopping: false, Waiting: > 0 })
        && !wish.Traits.Scopes.Any(scope => draft.View.VmBlocks.Any(block => block.Backend == wish.Backend && block.Scope == scope && block.Until > draft.Now.Time));

    private static void Add(StepDraft draft, VmWish wish)
    {
        var meta = draft.Meta;
        draft.Meta = meta with { NextVm = meta.NextVm + 1 };
        draft.Put(new VmRecord
        {
            Uid = meta.NextVm,
            Id = wish.Id,
            RequestId = wish.RequestId,
            Backend = wish.Backend,
            Traits = wish.Traits,
            Workers = [.. Enumerable.Repeat(0L, wish.Workers)],
            RequestedTime = draft.Now.Time,
            BootDue = draft.Now.Time + wish.BootTimeout,
            IdleFor = wish.IdleFor,
            ForJob = wish.ForJob,
            RequestedAt = draft.Now.Wall,
        });
        draft.Effect(new ClusterEffect.CreateVm(meta.NextVm));
    }

    private static void Condemn(StepDraft draft, VmRecord vm, string reason) => Release(draft, vm, vm.After(new VmEvent.Condemned(reason), draft.Now));

    /// <summary>Begins to remove a machine. From this step on nothing is placed there.</summary>
    private static void Release(StepDraft draft, VmRecord before, VmRecord after)
    {
        if (ReferenceEquals(before, after))
        {
            return;
        }

        draft.Put(after);
        foreach (var uid in after.Workers)
        {
            if (draft.FindWorker(uid) is { Draining: false } worker)
            {
                draft.Put(worker with { Draining = true });
                draft.Effect(new ClusterEffect.UpdateWorker(uid));
            }
        }

        draft.Effect(new ClusterEffect.ReleaseVm(after.Uid));
    }

    /// <summary>What has come is looked at against what was offered: else the same would be asked for again and again, and never be enough.</summary>
    private static void Judge(StepDraft draft, VmRecord vm)
    {
        foreach (var uid in vm.Workers)
        {
            if (draft.FindWorker(uid) is { } worker && !Covers(worker.Traits.Capacity, vm.Traits.Capacity))
            {
                Block(draft, vm, new VmFailure(VmFailureKind.Invalid, $"{worker.Id} came with {ShapeText.Of(worker.Traits.Capacity)}, and {ShapeText.Of(vm.Traits.Capacity)} was offered"));
                return;
            }
        }

        // There are machines again.
        foreach (var block in draft.View.VmBlocks.Where(block => block.Backend == vm.Backend && vm.Traits.Scopes.Contains(block.Scope) && block.Until <= draft.Now.Time).ToList())
        {
            draft.Remove(block);
        }
    }

    private static bool Covers(ResourceShape there, ResourceShape promised) =>
        there.CpuMillis >= promised.CpuMillis
        && there.MemoryBytes >= promised.MemoryBytes
        && there.DiskBytes >= promised.DiskBytes
        && there.Gpus >= promised.Gpus
        && (promised.Gpus == 0 || there.GpuVariant == promised.GpuVariant)
        && there.TpuVariant == promised.TpuVariant
        && (promised.Preemptible || !there.Preemptible);

    private static void Block(StepDraft draft, VmRecord vm, VmFailure failure)
    {
        // What names nothing that there is, is about this kind of machine in this place.
        var scope = vm.Traits.Scopes.Contains(failure.Scope) ? failure.Scope : vm.Traits.Scopes.IsEmpty ? "" : vm.Traits.Scopes[0];
        var known = draft.FindVmBlock(block => block.Backend == vm.Backend && block.Scope == scope && block.Kind == failure.Kind);
        if (known is null)
        {
            var meta = draft.Meta;
            known = new VmBlockRecord { Uid = meta.NextVmBlock, Backend = vm.Backend, Scope = scope, Kind = failure.Kind };
            draft.Meta = meta with { NextVmBlock = meta.NextVmBlock + 1 };
        }

        draft.Put(known.After(failure.Message, failure.RetryAfter, vm.RequestedTime, draft.Now));
    }

    /// <summary>Which of a machine's workers has this name; -1: none.</summary>
    private static int IndexOf(VmRecord vm, WorkerId worker)
    {
        var (name, id) = (worker.ToString(), vm.Id.ToString());
        if (vm.Workers.Length == 1)
        {
            return name == id ? 0 : -1;
        }

        return name.StartsWith(id + "-", StringComparison.Ordinal)
            && int.TryParse(name.AsSpan(id.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var index)
            && index < vm.Workers.Length
            && name == WorkerIdOf(vm, index)
            ? index
            : -1;
    }

    /// <summary>The name of a machine's worker: the machine's own, or with the index of the worker when there are several.</summary>
    public static string WorkerIdOf(VmRecord vm, int index) => vm.Workers.Length == 1 ? vm.Id.ToString() : string.Create(CultureInfo.InvariantCulture, $"{vm.Id}-{index}");

    private static void PutIfChanged(StepDraft draft, VmRecord before, VmRecord after)
    {
        if (!ReferenceEquals(before, after))
        {
            draft.Put(after);
        }
    }
}
