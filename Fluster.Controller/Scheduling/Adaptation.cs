namespace Fluster.Controller;

/// <summary>The least that a request would have to give up to fit a worker.</summary>
/// <param name="Worker">The worker.</param>
/// <param name="Shape">The request as it would be; null when nothing that is left of it would make sense.</param>
/// <param name="Causes">What stands in the way, in the order in which one would look.</param>
/// <param name="Changes">What to do about it, each as a request: "ask for at most 2 cores".</param>
/// <param name="Loss">How much it gives up, in thousandths of each amount; changes of kind count as a whole.</param>
internal sealed record Adaptation(WorkerRecord Worker, ResourceShape? Shape, IReadOnlyList<PendingCause> Causes, IReadOnlyList<string> Changes, long Loss)
    : IComparable<Adaptation>
{
    private const long Whole = 1000;

    /// <summary>Fits a request into a worker as if nothing were there.</summary>
    public static Adaptation ToWhole(WorkerRecord worker, ResourceShape shape) => To(worker, shape, default);

    /// <summary>Fits a request into what a worker has free now.</summary>
    public static Adaptation ToFree(WorkerRecord worker, ResourceShape shape) => To(worker, shape, worker.Used);

    /// <summary>What gives up least comes first.</summary>
    public int CompareTo(Adaptation? other)
    {
        if (other is null || (Shape is null) != (other.Shape is null))
        {
            return Shape is null ? 1 : -1;
        }

        var order = Changes.Count.CompareTo(other.Changes.Count);
        order = order != 0 ? order : Loss.CompareTo(other.Loss);
        return order != 0 ? order : Worker.Uid.CompareTo(other.Worker.Uid);
    }

    private static Adaptation To(WorkerRecord worker, ResourceShape shape, ResourceUse used)
    {
        var capacity = worker.Traits.Capacity;
        var (causes, changes, loss, possible) = (new List<PendingCause>(), new List<string>(), 0L, true);
        var adapted = shape;
        if (shape.Container && !capacity.Container)
        {
            possible = false;
            Change(PendingCause.ContainerEngine, Whole, $"have a Docker Engine answer on {worker.Id}");
        }

        if (!worker.HasDeviceFor(shape))
        {
            var otherGpus = shape.Gpus > 0 && capacity.Gpus > 0;
            var otherTpu = shape.Tpus > 0 && capacity.Tpus > 0;
            Change(PendingCause.Device, Whole, otherGpus ? $"ask for GPUs {capacity.GpuVariant} or \"auto\"" : otherTpu ? $"ask for a TPU {capacity.TpuVariant}" : $"add a worker with {ShapeText.Device(shape)}");
            possible &= otherGpus || otherTpu;
            adapted = otherGpus ? adapted with { GpuVariant = "auto" } : otherTpu ? adapted with { TpuVariant = capacity.TpuVariant } : adapted;
        }

        if (!shape.AllowsRegion(worker.Traits.Region))
        {
            possible &= worker.Traits.Region.Length > 0;
            Change(PendingCause.Region, Whole, worker.Traits.Region.Length > 0 ? $"allow region {worker.Traits.Region}" : "allow any region");
            adapted = adapted with { Regions = string.Join(',', shape.Regions.Split(',').Append(worker.Traits.Region).Order(StringComparer.Ordinal)) };
        }

        if (capacity.Preemptible && !shape.Preemptible)
        {
            Change(PendingCause.Preemptible, Whole, "allow preemptible machines");
            adapted = adapted with { Preemptible = true };
        }

        var gpus = GpuSet.First(capacity.Gpus).Without(used.Gpus).Count;
        if (capacity.Gpus > 0 && shape.Gpus > gpus)
        {
            Lower(shape.Gpus, gpus, $"at most {ShapeText.Count(gpus, "GPU")}");
            adapted = adapted with { Gpus = gpus };
        }

        if (shape.Tpus > 0 && used.Tpus > 0)
        {
            Lower(1, 0, "");
        }

        adapted = adapted with
        {
            CpuMillis = Amount(shape.CpuMillis, capacity.CpuMillis - used.CpuMillis, ShapeText.Cores),
            MemoryBytes = Amount(shape.MemoryBytes, capacity.MemoryBytes - used.MemoryBytes, ShapeText.Memory),
            DiskBytes = Amount(shape.DiskBytes, capacity.DiskBytes - used.DiskBytes, ShapeText.Disk),
        };
        return new Adaptation(worker, possible ? adapted : null, causes, changes, loss);

        long Amount(long asked, long there, Func<long, string> text)
        {
            if (asked <= Math.Max(0, there))
            {
                return asked;
            }

            Lower(asked, there, $"at most {text(Math.Max(0, there))}");
            return Math.Max(0, there);
        }

        void Lower(long asked, long there, string text)
        {
            possible &= there > 0;
            Change(PendingCause.TooLarge, Whole - (Whole * Math.Max(0, there) / asked), $"ask for {text}");
        }

        void Change(PendingCause cause, long by, string text)
        {
            causes.Add(cause);
            changes.Add(text);
            loss += by;
        }
    }
}
