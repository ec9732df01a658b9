namespace Fluster.Controller;

/// <summary>
/// Says what a job waits for: the exact constraint that binds, who holds what it needs, and the smallest change that would let it run.
/// Computed from a published state when somebody asks.
/// </summary>
/// <param name="state">The state.</param>
/// <param name="now">Cluster time.</param>
/// <param name="obstacle">Why a worker gets no work now, to be read after its name; null: it does.</param>
/// <param name="reservedFor">The job that a worker is kept for, if any. 0: none.</param>
internal sealed class Explainer(ClusterState state, long now, Func<WorkerRecord, string?> obstacle, Func<long, long> reservedFor)
{
    private readonly List<WorkerRecord> _workers = [.. state.Workers.Ascending()];

    /// <summary>What is done about machines for a job, as a sentence; null: there are no backends.</summary>
    public Func<JobRecord, string?> MachinesFor { get; init; } = _ => null;

    /// <summary>What the job waits for, as a sentence. Names no other jobs.</summary>
    public string ReasonOf(JobRecord job) => Find(job).Reason;

    /// <param name="job">The job.</param>
    /// <param name="visible">Whether the asker may see a job.</param>
    public JobExplanation Of(JobRecord job, Func<JobRecord, bool> visible)
    {
        var finding = Find(job);
        var waits = finding.Cause is not (PendingCause.None or PendingCause.Stopping);
        return new JobExplanation
        {
            Job = job.Id,
            State = job.State,
            Cause = finding.Cause,
            TaskIndex = finding.Task,
            Reason = finding.Reason,
            Change = finding.Change is { } change ? change(visible) : null,
            Suggested = finding.Suggested is { } shape ? ShapeText.ToSpec(shape) : null,
            Wait = finding.Wait is { } wait ? TimeSpan.FromMilliseconds(wait) : null,
            Holders = [.. finding.Holders.Select(fence => Holder(fence, visible)), .. finding.Jobs.Select(holder => Holder(holder, visible))],
            Workers = waits ? [.. _workers.Select(worker => new WorkerVerdict(worker.Id, Against(worker, job)))] : [],
        };
    }

    private string? Obstacle(WorkerRecord worker) => obstacle(worker) ?? (worker.TakesWork(now)
        ? null
        : $"is set aside for {(worker.QuarantinedUntil - now + 999) / 1000} s, because jobs could not begin there");

    private Finding Find(JobRecord job)
    {
        if (!job.IsLive)
        {
            return new Finding(PendingCause.None, job.Failure?.Message ?? $"It has ended: {job.State}.");
        }

        if (job.Stopping)
        {
            return new Finding(PendingCause.Stopping, "It is being stopped.");
        }

        if (job.Waiting == 0)
        {
            return new Finding(PendingCause.None, "All its tasks have a place.");
        }

        Finding? blocked = null;
        var left = job.Waiting;
        for (var index = 0; index < job.Terms.Replicas && left > 0; index++)
        {
            var task = state.TaskOf(job, index);
            if (task is { State: not JobState.Pending })
            {
                continue;
            }

            left--;
            var own = task is null ? null : Blocked(job, task);
            if (own is null && (!job.Terms.HasGangs || Readiness.OfGang(state, job, index - (index % job.Terms.GangSize)) <= now))
            {
                return WithMachines(job, Binding(job));
            }

            blocked ??= own ?? new Finding(PendingCause.LastAttempt, "Its tasks run at once, and those of the last try have not all ended.");
        }

        return blocked ?? WithMachines(job, Binding(job));
    }

    private Finding WithMachines(JobRecord job, Finding finding) => finding.Cause != PendingCause.Placing && MachinesFor(job) is { } machines
        ? finding with { Reason = $"{finding.Reason} {machines}" }
        : finding;

    /// <summary>What a task waits for by itself, whatever room there is; null: nothing.</summary>
    private Finding? Blocked(JobRecord job, TaskRecord task)
    {
        if (task.LiveChildren > 0)
        {
            var children = state.Jobs.Ascending(job.Uid + 1).Where(child => child.IsLive && task.Attempts.Contains(child.ParentFence)).Select(child => child.Uid).Take(20).ToList();
            return new Finding(PendingCause.Children, $"Task {task.Index} waits for {ShapeText.Count(task.LiveChildren, "job")} that its last attempt submitted to end.")
            {
                Task = task.Index,
                Jobs = children,
            };
        }

        if (task.NotBefore > now)
        {
            var last = task.Attempts.IsEmpty ? null : state.Attempt(task.Attempts[^1])?.Failure?.Message;
            return new Finding(
                PendingCause.BackOff,
                $"Task {task.Index} is tried again in {(task.NotBefore - now + 999) / 1000} s ({ShapeText.Count(task.Attempts.Length, "attempt")} so far{(last is null ? "" : $"; the last one: {last}")}).")
            {
                Task = task.Index,
                Wait = task.NotBefore - now,
            };
        }

        if (Readiness.Of(state, job, task.Index) > now)
        {
            var last = state.Attempt(task.Attempts[^1])!;
            return new Finding(
                PendingCause.LastAttempt,
                $"Task {task.Index} waits until no process of its last attempt can be left on {last.Worker}.")
            {
                Task = task.Index,
                Holders = last.Dead ? [] : [last.Fence],
            };
        }

        return null;
    }

    private Finding Binding(JobRecord job)
    {
        var shape = job.Terms.Shape;
        if (_workers.Count == 0)
        {
            return new Finding(PendingCause.NoWorkers, "No worker is connected.") { Change = _ => $"Start a worker with {ShapeText.Of(shape)}." };
        }

        var usable = _workers.Where(worker => Obstacle(worker) is null).ToList();
        var fitting = usable.Where(worker => worker.CouldEverHold(shape)).ToList();
        if (fitting.Count == 0)
        {
            var away = _workers.Where(worker => worker.CouldEverHold(shape) && Obstacle(worker) is not null).ToList();
            return away.Count > 0 || usable.Count == 0 ? Unavailable(away.Count > 0 ? away : _workers, usable.Count == 0) : NeverFits(usable, shape);
        }

        if (job.Terms.HasGangs && Gang(job, fitting) is { } lacking)
        {
            return lacking;
        }

        var open = fitting.Where(worker => worker.Held.Length < worker.Traits.MaxConcurrentJobs).ToList();
        if (open.Count == 0)
        {
            return Crowded(fitting, shape);
        }

        var roomy = open.Where(worker => worker.HasRoomFor(shape)).ToList();
        if (roomy.Count == 0)
        {
            return InUse(fitting, open, shape);
        }

        var reserved = roomy.Where(worker => reservedFor(worker.Uid) is var holder and not 0 && holder != job.Uid).ToList();
        return reserved.Count == roomy.Count ? Reserved(reserved) : new Finding(PendingCause.Placing, "It is about to be placed.");
    }

    /// <summary>Whether all tasks of a gang have room at once.</summary>
    private Finding? Gang(JobRecord job, List<WorkerRecord> fitting)
    {
        var (shape, size) = (job.Terms.Shape, job.Terms.GangSize);
        var most = RoomFor(job, fitting, Room.Whole);
        if (most < size)
        {
            return new Finding(PendingCause.GangTooLarge, $"Its {size} tasks run at once, and when nothing else runs there is room for {most}.")
            {
                Change = _ => $"Ask for at most {ShapeText.Count(most, "task")}, or start workers for {size - most} more, each with {ShapeText.Of(shape)}.",
            };
        }

        var free = RoomFor(job, [.. fitting.Where(worker => !GangRules.IsTaken(worker, job, 0, state.Attempt, state.Jobs.Find))], Room.Free);
        if (free >= size)
        {
            return null;
        }

        // Those that end soon anyway, then the largest, until the rest has room.
        var holders = fitting
            .SelectMany(worker => worker.Held.Select(fence => (Fence: fence, Worker: worker)))
            .OrderBy(held => state.Attempt(held.Fence) is { IsLive: true, IsStopping: false } ? 1 : 0)
            .ThenByDescending(held => Share(held.Worker, ShapeOf(held.Fence)))
            .ThenBy(held => held.Fence)
            .Take((int)(size - free))
            .Select(held => held.Fence)
            .ToList();
        return new Finding(PendingCause.Gang, $"Its {size} tasks run at once, and there is room for {free} of them now.")
        {
            Holders = holders,
            Change = visible => $"It runs when there is room for {size - free} more: for example when {Names(holders, visible)}.",
        };
    }

    /// <summary>How many tasks have room at once; those of a slice only where all of it has.</summary>
    private static long RoomFor(JobRecord job, IReadOnlyList<WorkerRecord> workers, Func<WorkerRecord, Room> roomOf)
    {
        var (shape, size) = (job.Terms.Shape, job.Terms.SliceSize);
        return workers.GroupBy(worker => size > 1 ? worker.VmUid : 0).Sum(machine => machine.Key == 0
            ? machine.Sum(worker => roomOf(worker).Times(shape))
            : machine.Count(worker => roomOf(worker).Times(shape) > 0) == size ? size : 0);
    }

    private Finding Unavailable(List<WorkerRecord> away, bool all)
    {
        var names = ShapeText.List([.. away.Select(worker => $"{worker.Id} {Obstacle(worker)}")]);
        return new Finding(PendingCause.Unavailable, all && _workers.TrueForAll(worker => worker.State == WorkerState.Lost || Obstacle(worker) == WorkerLinks.NotConnected)
            ? $"No worker is connected: {names}."
            : $"{(away.Count == 1 ? "The only worker that could hold it takes" : "The workers that could hold it take")} no work: {names}.")
        {
            Change = _ => $"Bring back {away[0].Id}, or start another worker like it.",
        };
    }

    private static Finding NeverFits(List<WorkerRecord> usable, ResourceShape shape)
    {
        var nearest = usable.Select(worker => Adaptation.ToWhole(worker, shape)).Min()!;
        var cause = nearest.Causes[0];
        var more = nearest.Shape is null && nearest.Causes.Contains(PendingCause.Device) ? "" : $", or start a worker with {ShapeText.Of(shape)}";
        return new Finding(cause, cause switch
        {
            PendingCause.ContainerEngine => usable.Exists(worker => worker.Traits.Capacity.Container)
                ? "It runs in a container, and the workers that could hold it have no container engine."
                : "It runs in a container, and no worker has a container engine.",
            PendingCause.Device => $"It needs {ShapeText.Device(shape)}, and {DevicesOf(usable)}.",
            PendingCause.Region => $"It may run in {shape.Regions.Replace(",", " or ", StringComparison.Ordinal)}, and the workers that could hold it are elsewhere ({RegionOf(nearest.Worker)}).",
            PendingCause.Preemptible => "The workers that could hold it can be taken away at any moment, and it does not allow that.",
            _ => TooLarge(usable, shape),
        })
        {
            Change = _ => Sentence(nearest.Changes) + more + ".",
            Suggested = nearest.Shape,
        };
    }

    private static string TooLarge(List<WorkerRecord> workers, ResourceShape shape)
    {
        var cpu = workers.Max(worker => worker.Traits.Capacity.CpuMillis);
        var memory = workers.Max(worker => worker.Traits.Capacity.MemoryBytes);
        var disk = workers.Max(worker => worker.Traits.Capacity.DiskBytes);
        return shape switch
        {
            _ when shape.CpuMillis > cpu => $"It needs {ShapeText.Cores(shape.CpuMillis)}, and the largest worker has {ShapeText.Cores(cpu)}.",
            _ when shape.MemoryBytes > memory => $"It needs {ShapeText.Memory(shape.MemoryBytes)}, and the largest worker has {new ByteSize(memory)}.",
            _ when shape.DiskBytes > disk => $"It needs {ShapeText.Disk(shape.DiskBytes)}, and the largest worker has {new ByteSize(disk)}.",
            _ => $"No worker has all of what it needs: {ShapeText.Of(shape)}.",
        };
    }

    private Finding Crowded(List<WorkerRecord> fitting, ResourceShape shape)
    {
        var (worker, holders) = Easiest(fitting, shape);
        return new Finding(PendingCause.Concurrency, fitting.Count == 1
            ? $"Worker {worker.Id}, which could hold it, runs as many jobs as it may ({worker.Held.Length})."
            : $"All {fitting.Count} workers that could hold it run as many jobs as they may.")
        {
            Holders = holders,
            Change = visible => $"It runs when {Names(holders, visible)}, or when {worker.Id} may run more jobs at a time (MaxConcurrentJobs, now {worker.Traits.MaxConcurrentJobs}).",
        };
    }

    private Finding InUse(List<WorkerRecord> fitting, List<WorkerRecord> open, ResourceShape shape)
    {
        var (_, holders) = Easiest(fitting, shape);
        var nearest = open.Select(worker => Adaptation.ToFree(worker, shape)).Min()!;
        var smaller = nearest.Shape is null ? "" : $", or if you {string.Join(" and ", nearest.Changes)}, which {nearest.Worker.Id} has free";
        return new Finding(PendingCause.Resources, $"It needs {ShapeText.Of(shape)}, and {(fitting.Count == 1 ? "the one worker that could hold it is" : $"the {fitting.Count} workers that could hold it are")} in use.")
        {
            Holders = holders,
            Suggested = nearest.Shape,
            Change = visible => $"It runs when {Names(holders, visible)}{smaller}.",
        };
    }

    private Finding Reserved(List<WorkerRecord> reserved)
    {
        var holders = reserved.Select(worker => reservedFor(worker.Uid)).Distinct().ToList();
        return new Finding(PendingCause.Reserved, $"{reserved[0].Id} has room, and that is kept for a job that has waited longer.")
        {
            Jobs = holders,
            Change = visible => $"It runs when {ShapeText.List([.. holders.Select(uid => Name(state.Jobs.Find(uid), visible))])} has a place, with a higher priority, or with an execution timeout that ends before that.",
        };
    }

    /// <summary>The worker where the fewest attempts have to end for a shape to have room, and those attempts.</summary>
    private (WorkerRecord Worker, List<Fence> Holders) Easiest(List<WorkerRecord> fitting, ResourceShape shape) => fitting
        .Select(worker => (Worker: worker, Holders: HoldersOf(worker, shape)))
        .MinBy(found => (found.Holders.Count, found.Worker.Uid));

    /// <summary>Attempts whose end makes room on a worker, none of which is too many. Those that end soon anyway come first.</summary>
    private List<Fence> HoldersOf(WorkerRecord worker, ResourceShape shape)
    {
        var order = worker.Held
            .OrderBy(fence => state.Attempt(fence) is { IsLive: true, IsStopping: false } ? 1 : 0)
            .ThenByDescending(fence => Share(worker, ShapeOf(fence)));
        var chosen = new List<Fence>();
        var without = worker;
        foreach (var fence in order)
        {
            if (without.HasRoomFor(shape))
            {
                break;
            }

            chosen.Add(fence);
            without = Without(without, fence);
        }

        foreach (var fence in chosen.ToArray())
        {
            var rest = chosen.Where(other => other != fence);
            if (rest.Aggregate(worker, Without).HasRoomFor(shape))
            {
                chosen.Remove(fence);
            }
        }

        return chosen;
    }

    private WorkerRecord Without(WorkerRecord worker, Fence fence) =>
        worker with { Held = worker.Held.Remove(fence), Used = worker.Used.Minus(ShapeOf(fence), state.Attempt(fence)!.Gpus) };

    private ResourceShape ShapeOf(Fence fence) => state.Jobs.Find(state.Attempt(fence)!.JobUid)!.Terms.Shape;

    private static long Share(WorkerRecord worker, ResourceShape shape)
    {
        var capacity = worker.Traits.Capacity;
        return (1000 * shape.CpuMillis / Math.Max(1, capacity.CpuMillis)) + (1000 * (shape.MemoryBytes >> 10) / Math.Max(1, capacity.MemoryBytes >> 10)) + (1000L * shape.Gpus / Math.Max(1, capacity.Gpus));
    }

    private string Against(WorkerRecord worker, JobRecord job)
    {
        var shape = job.Terms.Shape;
        if (Obstacle(worker) is { } problem)
        {
            return problem;
        }

        var whole = Adaptation.ToWhole(worker, shape);
        if (whole.Changes.Count > 0)
        {
            return whole.Causes[0] switch
            {
                PendingCause.ContainerEngine => "has no container engine",
                PendingCause.Device => $"has {DeviceOf(worker)}",
                PendingCause.Region => $"is in {RegionOf(worker)}",
                PendingCause.Preemptible => "can be taken away at any moment",
                _ => $"has {ShapeText.Of(worker.Traits.Capacity)}",
            };
        }

        if (worker.Held.Length >= worker.Traits.MaxConcurrentJobs)
        {
            return $"runs {worker.Held.Length} jobs, and may run {worker.Traits.MaxConcurrentJobs}";
        }

        return !worker.HasRoomFor(shape) ? $"has {ShapeText.Of(Free(worker))} free"
            : reservedFor(worker.Uid) is var holder and not 0 && holder != job.Uid ? "is kept for a job that has waited longer"
            : "";
    }

    private static ResourceShape Free(WorkerRecord worker) => worker.Traits.Capacity with
    {
        CpuMillis = worker.Traits.Capacity.CpuMillis - worker.Used.CpuMillis,
        MemoryBytes = worker.Traits.Capacity.MemoryBytes - worker.Used.MemoryBytes,
        DiskBytes = worker.Traits.Capacity.DiskBytes - worker.Used.DiskBytes,
        Gpus = worker.FreeGpus.Count,
        TpuVariant = worker.Used.Tpus > 0 ? "" : worker.Traits.Capacity.TpuVariant,
    };

    private static string DevicesOf(List<WorkerRecord> workers)
    {
        var devices = workers.Where(worker => worker.Traits.Capacity.HasDevice).Select(DeviceOf).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        return devices.Count == 0 ? "no worker has any device" : $"the workers have {ShapeText.List(devices)}";
    }

    private static string DeviceOf(WorkerRecord worker) => worker.Traits.Capacity.HasDevice ? ShapeText.Device(worker.Traits.Capacity) : "no device";

    private static string RegionOf(WorkerRecord worker) => worker.Traits.Region.Length > 0 ? worker.Traits.Region : "no region";

    private static string Sentence(IReadOnlyList<string> changes)
    {
        var text = string.Join(" and ", changes);
        return char.ToUpperInvariant(text[0]) + text[1..];
    }

    private string Names(List<Fence> holders, Func<JobRecord, bool> visible)
    {
        var names = holders.Select(fence => (Attempt: state.Attempt(fence)!, Job: state.Jobs.Find(state.Attempt(fence)!.JobUid)!))
            .Select(holder => $"{Name(holder.Job, visible)}{(holder.Job.Terms.Replicas > 1 ? $" (task {holder.Attempt.TaskIndex})" : "")} on {holder.Attempt.Worker}")
            .ToList();
        return $"{ShapeText.List(names)} {(names.Count == 1 ? "ends" : "end")}";
    }

    private static string Name(JobRecord? job, Func<JobRecord, bool> visible) => job is not null && visible(job) ? job.Id.ToString() : "a job of another namespace";

    private ResourceHolder Holder(Fence fence, Func<JobRecord, bool> visible)
    {
        var attempt = state.Attempt(fence)!;
        var job = state.Jobs.Find(attempt.JobUid)!;
        return new ResourceHolder(
            visible(job) ? job.Id : null, attempt.TaskIndex, attempt.Worker, ShapeText.ToSpec(job.Terms.Shape), !attempt.IsLive || attempt.IsStopping);
    }

    private ResourceHolder Holder(long uid, Func<JobRecord, bool> visible)
    {
        var job = state.Jobs.Find(uid)!;
        return new ResourceHolder(visible(job) ? job.Id : null, 0, null, ShapeText.ToSpec(job.Terms.Shape), job.Stopping);
    }

    private sealed record Finding(PendingCause Cause, string Reason)
    {
        public int? Task { get; init; }

        public long? Wait { get; init; }

        public ResourceShape? Suggested { get; init; }

        public Func<Func<JobRecord, bool>, string>? Change { get; init; }

        public IReadOnlyList<Fence> Holders { get; init; } = [];

        /// <summary>Jobs that it waits for, rather than attempts.</summary>
        public IReadOnlyList<long> Jobs { get; init; } = [];
    }
}
