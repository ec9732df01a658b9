namespace Fluster.Cluster;

/// <summary>What kind of machine a task needs.</summary>
public abstract record Device
{
    private Device() { } // Closed: every case is listed here.

    /// <summary>No accelerator; fits any worker.</summary>
    public sealed record Cpu : Device
    {
        /// <inheritdoc/>
        public override string ToString() => "cpu";
    }

    /// <summary>Graphics processors.</summary>
    /// <param name="Variant">The model, for example <c>h100</c>; <c>auto</c> fits any.</param>
    /// <param name="Count">How many each task gets; at least 1.</param>
    public sealed record Gpu(string Variant = "auto", int Count = 1) : Device
    {
        /// <summary>The model, for example <c>h100</c>; <c>auto</c> fits any.</summary>
        /// <exception cref="ArgumentException">The value is empty.</exception>
        public string Variant { get; } = !string.IsNullOrWhiteSpace(Variant) ? Variant : throw new ArgumentException("A GPU needs a variant, or \"auto\" for any.", nameof(Variant));

        /// <summary>How many each task gets; at least 1.</summary>
        /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
        public int Count { get; } = Count >= 1 ? Count : throw new ArgumentOutOfRangeException(nameof(Count), Count, "A GPU request needs at least one GPU.");

        /// <inheritdoc/>
        public override string ToString() => $"gpu {Variant} x{Count}";
    }

    /// <summary>A slice of tensor processors.</summary>
    /// <param name="Variant">One of <see cref="TpuTopology.All"/>, for example <c>v5litepod-16</c>.</param>
    public sealed record Tpu(string Variant) : Device
    {
        /// <summary>The slice's name, for example <c>v5litepod-16</c>.</summary>
        public string Variant => Topology.Variant;

        /// <summary>How the slice is made up.</summary>
        /// <exception cref="ArgumentException">There is no such variant; the message lists near names.</exception>
        public TpuTopology Topology { get; } = TpuTopology.Get(Variant);

        /// <inheritdoc/>
        public override string ToString() => $"tpu {Variant}";
    }
}
