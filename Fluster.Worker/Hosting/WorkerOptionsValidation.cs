using Microsoft.Extensions.Options;

namespace Fluster.Worker;

/// <summary>Says what is wrong with the settings before anything is started, each with its path.</summary>
internal sealed class WorkerOptionsValidation : IValidateOptions<WorkerOptions>
{
    public ValidateOptionsResult Validate(string? name, WorkerOptions options)
    {
        var problems = new List<string>();
        Check(nameof(options.Id), options.Id.Length == 0 ? null : Problem(() => WorkerId.Parse(options.Id)));
        Check(nameof(options.Token), options.Token.Length > 0 ? null : "it is empty: the worker needs a token of role worker, signed with the cluster's key.");
        Check(nameof(options.ControllerAddress), Uri.TryCreate(options.ControllerAddress, UriKind.Absolute, out var address) && address.Scheme.Split('+').All(scheme => scheme is "http" or "https")
            ? null
            : $"'{options.ControllerAddress}' is not an address: write http://host:port, or http://_grpc.controller to have it discovered.");
        Check(nameof(options.Cpu), options.Cpu is null or > 0 and <= 4096 ? null : $"{options.Cpu} is not a number of cores.");
        Check(nameof(options.Memory), options.Memory.Length == 0 ? null : Problem(() => ByteSize.Parse(options.Memory)));
        Check(nameof(options.Disk), options.Disk.Length == 0 ? null : Problem(() => ByteSize.Parse(options.Disk)));
        Check(nameof(options.PortRange), Problem(() => Fluster.Worker.PortRange.Parse(options.PortRange)));
        Check(nameof(options.MaxConcurrentJobs), options.MaxConcurrentJobs is > 0 and <= 10_000 ? null : $"{options.MaxConcurrentJobs} is not from 1 to 10000.");
        Check(nameof(options.Gpus), options.Gpus is >= 0 and <= 64 ? null : $"{options.Gpus} is not from 0 to 64.");
        Check(nameof(options.GpuVariant), (options.Gpus > 0) == (options.GpuVariant.Length > 0) ? null : "GPUs have a number and a variant, or neither.");
        Check(nameof(options.TpuVariant), options.TpuVariant.Length == 0 ? null : options.Gpus > 0 ? "a machine has GPUs or a TPU, not both." : Problem(() => TpuTopology.Get(options.TpuVariant)));
        Check(nameof(options.BindHost), options.BindHost.Length > 0 ? null : "it is empty.");
        Check(nameof(options.Isolation), IsolationOf(options, out _) ? null : $"'{options.Isolation}' is not one of auto, cgroup2, cgroup1 and marker.");
        Check(nameof(options.UidRange), Problem(() => UserRange.Parse(options.UidRange)));
        Check(nameof(options.OrphanTimeout), options.OrphanTimeout is null || options.OrphanTimeout > TimeSpan.Zero ? null : $"{options.OrphanTimeout} is no time.");
        Check(nameof(options.JobHostPath), options.JobHostPath.Length == 0 || File.Exists(options.JobHostPath) ? null : $"there is no file '{options.JobHostPath}'.");
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);

        void Check(string setting, string? problem)
        {
            if (problem is not null)
            {
                problems.Add($"{WorkerOptions.Section}:{setting}: {problem}");
            }
        }
    }

    /// <summary>The way that is asked for; null for the best that works.</summary>
    public static bool IsolationOf(WorkerOptions options, out IsolationMode? mode)
    {
        mode = options.Isolation switch
        {
            "cgroup2" => IsolationMode.Cgroup2,
            "cgroup1" => IsolationMode.Cgroup1,
            "marker" => IsolationMode.Marker,
            _ => null,
        };
        return mode is not null || options.Isolation == "auto";
    }

    private static string? Problem<T>(Func<T> parse)
    {
        try
        {
            _ = parse();
            return null;
        }
        catch (Exception exception) when (exception is FormatException or ArgumentException or OverflowException)
        {
            return exception.Message;
        }
    }
}
