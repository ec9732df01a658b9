using System.Globalization;

namespace Fluster.Backends;

/// <summary>Devices of machines as settings name them: <c>v5litepod-16</c> of a TPU backend, <c>a100</c> or <c>a100:2</c> of Compute Engine.</summary>
internal static class VmAccelerators
{
    /// <param name="kind">What makes the machines.</param>
    /// <param name="text">The setting; empty for none.</param>
    /// <exception cref="FormatException">There is no such device, or that kind of backend has none.</exception>
    public static Device Parse(string kind, string text)
    {
        if (text.Length == 0)
        {
            return new Device.Cpu();
        }

        return kind switch
        {
            VmBackends.Tpu => TpuTopology.Find(text) is { } slice
                ? new Device.Tpu(slice.Variant)
                : throw new FormatException($"there is no TPU slice '{text}'. Near names: {Near(text, TpuTopology.All.Select(known => known.Variant))}."),
            VmBackends.Gce => ParseGpu(text),
            _ => throw new FormatException($"machines of kind '{kind}' have none: leave it out."),
        };
    }

    private static Device.Gpu ParseGpu(string text)
    {
        var (name, count) = text.Split(':') switch
        {
            [var only] => (only, 1),
            [var first, var number] when int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var several) && several > 0 => (first, several),
            _ => throw new FormatException($"'{text}' is not a GPU and how many of them, such as a100 or a100:2."),
        };
        var models = name == "auto" ? [] : GpuMachines.ModelsFor(name).ToList();
        if (models.Count == 0)
        {
            throw new FormatException($"there is no GPU '{name}'. Near names: {Near(name, GpuMachines.Models.SelectMany(model => model.Variants))}.");
        }

        return models.Exists(model => GpuMachines.Choose(model, count, cpuMillis: 0, ByteSize.FromMiB(1)) is not null)
            ? new Device.Gpu(name, count)
            : throw new FormatException($"there is no machine with {count} of the GPU '{name}'.");
    }

    private static string Near(string text, IEnumerable<string> names) => string.Join(", ", NearNames.Of(text, names.Distinct(StringComparer.Ordinal), 3));
}
