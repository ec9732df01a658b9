namespace Fluster.Controller;

/// <summary>What a pending job waits for, as a sentence. Computed when somebody asks.</summary>
internal static class PendingReason
{
    /// <param name="state">The state.</param>
    /// <param name="job">A live job.</param>
    /// <param name="now">Cluster time.</param>
    /// <param name="usable">Whether a worker can be reached and takes work.</param>
    public static string Of(ClusterState state, JobRecord job, long now, Func<long, bool> usable)
    {
        if (job.Stopping)
        {
            return "It is being stopped.";
        }

        for (var index = 0; index < job.Terms.Replicas; index++)
        {
            if (state.TaskOf(job, index) is not { State: JobState.Pending } task)
            {
                continue;
            }

            if (task.LiveChildren > 0)
            {
                return $"Task {index} waits for {task.LiveChildren} jobs that its last attempt submitted to end.";
            }

            if (task.NotBefore > now)
            {
                return $"Task {index} is tried again in {(task.NotBefore - now + 999) / 1000} s ({task.Attempts.Length} attempts so far).";
            }
        }

        return Binding(state, job.Terms.Shape, usable);
    }

    private static string Binding(ClusterState state, ResourceShape shape, Func<long, bool> usable)
    {
        var workers = state.Workers.Ascending().Where(worker => worker is { State: WorkerState.Alive, Draining: false } && usable(worker.Uid)).ToList();
        if (workers.Count == 0)
        {
            return "No worker is connected.";
        }

        var large = workers.Where(worker => worker.CouldEverHold(shape)).ToList();
        if (large.Count == 0)
        {
            return TooLarge(workers, shape);
        }

        if (large.TrueForAll(worker => worker.Held.Length >= worker.Traits.MaxConcurrentJobs))
        {
            return $"All {large.Count} fitting workers run as many jobs as they may.";
        }

        return large.Exists(worker => worker.HasRoomFor(shape))
            ? "It is about to be placed."
            : $"It needs {Text(shape)}, and the {large.Count} workers that could hold it are in use.";
    }

    private static string TooLarge(List<WorkerRecord> workers, ResourceShape shape)
    {
        var cpu = workers.Max(worker => worker.Traits.Capacity.CpuMillis);
        if (shape.CpuMillis > cpu)
        {
            return $"It needs {Cores(shape.CpuMillis)}, and the largest worker has {Cores(cpu)}.";
        }

        var memory = workers.Max(worker => worker.Traits.Capacity.MemoryBytes);
        if (shape.MemoryBytes > memory)
        {
            return $"It needs {new ByteSize(shape.MemoryBytes)} of memory, and the largest worker has {new ByteSize(memory)}.";
        }

        var disk = workers.Max(worker => worker.Traits.Capacity.DiskBytes);
        if (shape.DiskBytes > disk)
        {
            return $"It needs {new ByteSize(shape.DiskBytes)} of disk, and the largest worker has {new ByteSize(disk)}.";
        }

        return $"No worker has all of what it needs: {Text(shape)}.";
    }

    private static string Text(ResourceShape shape)
    {
        var parts = new List<string> { Cores(shape.CpuMillis), $"{new ByteSize(shape.MemoryBytes)} of memory" };
        if (shape.DiskBytes > 0)
        {
            parts.Add($"{new ByteSize(shape.DiskBytes)} of disk");
        }

        if (shape.Gpus > 0)
        {
            parts.Add($"{shape.Gpus} GPUs ({shape.GpuVariant})");
        }

        if (shape.TpuVariant.Length > 0)
        {
            parts.Add($"a TPU {shape.TpuVariant}");
        }

        if (shape.Regions.Length > 0)
        {
            parts.Add($"region {shape.Regions.Replace(",", " or ", StringComparison.Ordinal)}");
        }

        return string.Join(", ", parts);
    }

    private static string Cores(long millis) => $"{millis / 1000m:0.###} cores";
}
