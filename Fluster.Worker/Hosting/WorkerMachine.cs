using System.Runtime.InteropServices;

namespace Fluster.Worker;

/// <summary>What this machine has, and how it is.</summary>
/// <param name="options">What of it jobs may use.</param>
/// <param name="dataDirectory">Whose disk counts.</param>
internal sealed class WorkerMachine(WorkerOptions options, string dataDirectory)
{
    private const int LeastFreePercent = 5; // spec section 4: under this it takes no work
    private const int MemoryPercent = 90;

    public V1.WorkerCapabilities Capabilities(string isolation, bool containers)
    {
        var capabilities = new V1.WorkerCapabilities
        {
            Capacity = new V1.ResourceSpec
            {
                CpuMillis = (long)((options.Cpu ?? Environment.ProcessorCount) * 1000),
                MemoryBytes = options.Memory.Length > 0 ? ByteSize.Parse(options.Memory).Bytes : TotalMemory() / 100 * MemoryPercent,
                Device = Device(),
                Preemptible = options.Preemptible,
                DiskBytes = options.Disk.Length > 0 ? ByteSize.Parse(options.Disk).Bytes : Drive().AvailableFreeSpace,
            },
            MaxConcurrentJobs = options.MaxConcurrentJobs,
            Host = Environment.MachineName,
            AdvertiseHost = options.AdvertiseHost.Length > 0 ? options.AdvertiseHost : options.BindHost,
            OperatingSystem = RuntimeInformation.RuntimeIdentifier,
            Isolation = isolation,
            Region = options.Region,
            Version = typeof(WorkerMachine).Assembly.GetName().Version?.ToString(3) ?? "",
        };
        capabilities.Runtimes.Add("process");
        if (containers)
        {
            capabilities.Runtimes.Add("docker");
        }

        return capabilities;
    }

    /// <summary>The part of health that the machine itself decides.</summary>
    public (long Free, long Total, string? Problem) Disk()
    {
        var drive = Drive();
        var (free, total) = (drive.AvailableFreeSpace, drive.TotalSize);
        return (free, total, free < total / 100 * LeastFreePercent
            ? $"The disk of {dataDirectory} is full: {new ByteSize(free)} of {new ByteSize(total)} are free, and {LeastFreePercent} % are needed."
            : null);
    }

    private V1.Device? Device() =>
        options.Gpus > 0 ? new V1.Device { Gpu = new V1.GpuDevice { Variant = options.GpuVariant, Count = options.Gpus } }
        : options.TpuVariant.Length > 0 ? new V1.Device { Tpu = new V1.TpuDevice { Variant = options.TpuVariant } }
        : null;

    private DriveInfo Drive() => new(Path.GetFullPath(dataDirectory));

    private static long TotalMemory() => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
}
