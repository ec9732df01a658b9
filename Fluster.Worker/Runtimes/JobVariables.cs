using System.Globalization;

namespace Fluster.Worker;

/// <summary>The environment of a job's processes (spec section 1). What the user set loses against what Fluster sets.</summary>
internal static class JobVariables
{
    /// <summary>Of the memory that a job asked for, what the heap of a .NET program may have: the rest is for everything else in the process.</summary>
    private const int HeapPercent = 90;

    /// <summary>The variable that says which GPUs a program sees.</summary>
    public const string VisibleGpus = "CUDA_VISIBLE_DEVICES";

    /// <param name="spec">The attempt.</param>
    /// <param name="fence">Its fence.</param>
    /// <param name="worker">What is the same for every attempt here.</param>
    /// <param name="ports">The ports that it was given.</param>
    /// <param name="mark">By which its processes are found again.</param>
    public static Dictionary<string, string> Of(V1.AttemptSpec spec, Fence fence, WorkerSurroundings worker, IReadOnlyDictionary<string, int> ports, string mark)
    {
        var variables = new Dictionary<string, string>(worker.BaseVariables, StringComparer.Ordinal);
        if (spec.Entrypoint.KindCase == V1.Entrypoint.KindOneofCase.Dotnet && spec.Resources?.MemoryBytes is { } memory and > 0)
        {
            // Read as hexadecimal by the runtime. A program that fills its heap gets an exception, and not the kill of its tree.
            variables["DOTNET_GCHeapHardLimit"] = (memory / 100 * HeapPercent).ToString("x", CultureInfo.InvariantCulture);
        }

        // Only who asked for the slice is told of it: any other program that uses JAX would wait for its hosts. What the user sets is stronger.
        if (spec.Resources?.Device?.Tpu is not null)
        {
            foreach (var (name, value) in worker.TpuVariables)
            {
                variables[name] = value;
            }
        }

        foreach (var (name, value) in spec.Environment?.Variables ?? [])
        {
            variables[name] = value;
        }

        variables[FlusterEnvironment.JobId] = spec.JobId;
        variables[FlusterEnvironment.Namespace] = spec.Namespace;
        variables[FlusterEnvironment.TaskIndex] = spec.TaskIndex.ToString(CultureInfo.InvariantCulture);
        variables[FlusterEnvironment.TaskCount] = spec.TaskCount.ToString(CultureInfo.InvariantCulture);
        variables[FlusterEnvironment.Fence] = fence.ToString();
        variables[FlusterEnvironment.WorkerId] = worker.WorkerId;
        variables[FlusterEnvironment.ControllerAddress] = worker.ControllerAddress();
        variables[FlusterEnvironment.BindHost] = worker.BindHost;
        variables[FlusterEnvironment.AdvertiseHost] = worker.AdvertiseHost;
        variables[FlusterEnvironment.Token] = spec.Token;
        variables[FlusterEnvironment.ClusterKey] = worker.ClusterKey();
        variables[FlusterEnvironment.AttemptMarker] = mark;
        foreach (var (name, port) in ports)
        {
            variables[FlusterEnvironment.PortVariable(name)] = port.ToString(CultureInfo.InvariantCulture);
        }

        // Which GPUs are the attempt's own; on a machine with some, a job without any sees none.
        if (spec.GpuIndices.Count > 0 || worker.HasGpus)
        {
            variables[VisibleGpus] = string.Join(',', spec.GpuIndices);
        }

        Set(variables, "TRACEPARENT", spec.Trace?.Traceparent);
        Set(variables, "TRACESTATE", spec.Trace?.Tracestate);
        Set(variables, "BAGGAGE", spec.Trace?.Baggage);
        return variables;
    }

    private static void Set(Dictionary<string, string> variables, string name, string? value)
    {
        if (string.IsNullOrEmpty(value))
        {
            variables.Remove(name);
        }
        else
        {
            variables[name] = value;
        }
    }
}

/// <summary>What every job of a worker is told about where it runs.</summary>
internal sealed record WorkerSurroundings
{
    public required string WorkerId { get; init; }

    public required string BindHost { get; init; }

    public required string AdvertiseHost { get; init; }

    /// <summary>Whether there are GPUs that attempts are given.</summary>
    public bool HasGpus { get; init; }

    /// <summary>The controller's address as jobs can use it.</summary>
    public required Func<string> ControllerAddress { get; init; }

    /// <summary>The cluster's public key, PEM.</summary>
    public required Func<string> ClusterKey { get; init; }

    /// <summary>What the machine says of its TPU slice, for jobs that asked for one.</summary>
    public IReadOnlyDictionary<string, string> TpuVariables { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>What jobs see of the worker's own environment.</summary>
    public required IReadOnlyDictionary<string, string> BaseVariables { get; init; }
}
