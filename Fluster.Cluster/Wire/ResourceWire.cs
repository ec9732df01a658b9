namespace Fluster.Cluster;

/// <summary>Resources to and from their messages.</summary>
internal static class ResourceWire
{
    public static V1.ResourceSpec ToWire(this ResourceSpec resources)
    {
        var message = new V1.ResourceSpec
        {
            CpuMillis = resources.CpuMillis,
            MemoryBytes = resources.Memory.Bytes,
            DiskBytes = resources.Disk.Bytes,
            Device = resources.Device.ToWire(),
            Preemptible = resources.Preemptible,
        };
        message.Regions.AddRange(resources.Regions);
        return message;
    }

    /// <exception cref="FormatException">A number or a name in it cannot be right.</exception>
    public static ResourceSpec ToDomain(this V1.ResourceSpec? message)
    {
        if (message is null)
        {
            return new ResourceSpec();
        }

        try
        {
            return new ResourceSpec
            {
                CpuMillis = message.CpuMillis,
                Memory = new ByteSize(message.MemoryBytes),
                Disk = new ByteSize(message.DiskBytes),
                Device = message.Device.ToDomain(),
                Preemptible = message.Preemptible,
                Regions = [.. message.Regions],
            };
        }
        catch (ArgumentException exception)
        {
            throw new FormatException(exception.Message, exception);
        }
    }

    private static V1.Device? ToWire(this Device device) => device switch
    {
        Device.Gpu gpu => new V1.Device { Gpu = new V1.GpuDevice { Variant = gpu.Variant, Count = gpu.Count } },
        Device.Tpu tpu => new V1.Device { Tpu = new V1.TpuDevice { Variant = tpu.Variant } },
        _ => null,
    };

    private static Device ToDomain(this V1.Device? message) => message?.KindCase switch
    {
        V1.Device.KindOneofCase.Gpu => new Device.Gpu(message.Gpu.Variant, message.Gpu.Count),
        V1.Device.KindOneofCase.Tpu => new Device.Tpu(message.Tpu.Variant),
        _ => new Device.Cpu(),
    };
}
