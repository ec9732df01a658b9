using Fluster.Backends;
using Microsoft.Extensions.Options;

namespace Fluster.Controller;

/// <summary>One backend: section <c>Fluster:Controller:Backends:0</c>, <c>:1</c> and so on, in the order in which they are asked. What a kind has of its own is read by the backend.</summary>
internal sealed class VmBackendOptions
{
    /// <summary>What makes the machines: <c>local</c>, <c>docker</c>, <c>gce</c> or <c>tpu</c>.</summary>
    public string Kind { get; set; } = "";

    /// <summary>What it is called in messages and in the state. Default: its kind. Machines of a name that is not configured any more are nobody's.</summary>
    public string Name { get; set; } = "";

    /// <summary>Machines that are always there. Default: 0.</summary>
    public int Min { get; set; }

    /// <summary>Machines that there may be. Default: 10.</summary>
    public int Max { get; set; } = 10;

    /// <summary>What the machines that are always there have: a slice such as <c>v5litepod-16</c> of a backend of TPUs, GPUs such as <c>a100:2</c> of Compute Engine. Default: nothing but processors.</summary>
    public string Accelerator { get; set; } = "";

    /// <summary>How long a machine may do nothing before it is released. Default: 5 minutes.</summary>
    public TimeSpan Idle { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Whether its machines have a container engine for jobs that name an image. Default: false.</summary>
    public bool Containers { get; set; }

    /// <summary>The most attempts at a time on each of its workers. Default: 10.</summary>
    public int MaxConcurrentJobs { get; set; } = 10;

    /// <summary>The names of these settings: the others are the kind's own.</summary>
    public static IReadOnlyList<string> Names { get; } = [nameof(Kind), nameof(Name), nameof(Min), nameof(Max), nameof(Accelerator), nameof(Idle), nameof(Containers), nameof(MaxConcurrentJobs)];

    public string NameOrKind => Name.Length > 0 ? Name : Kind;

    /// <summary>What is wrong, each with the path of the setting.</summary>
    public static IEnumerable<string> ProblemsOf(IReadOnlyList<VmBackendOptions> backends)
    {
        for (var i = 0; i < backends.Count; i++)
        {
            var (backend, path) = (backends[i], $"{ControllerOptions.Section}:{nameof(ControllerOptions.Backends)}:{i}");
            if (!VmBackends.Kinds.Contains(backend.Kind, StringComparer.Ordinal))
            {
                yield return $"{path}:{nameof(Kind)} is '{backend.Kind}': it is one of {string.Join(", ", VmBackends.Kinds)}.";
            }

            if (backends.Take(i).Any(other => other.NameOrKind == backend.NameOrKind))
            {
                yield return $"{path}:{nameof(Name)} is '{backend.NameOrKind}', and so is that of an earlier one: give it another {nameof(Name)}.";
            }

            if (backend.Min < 0)
            {
                yield return $"{path}:{nameof(Min)} is {backend.Min}: it is a number of machines.";
            }

            if (backend.Max < Math.Max(1, backend.Min))
            {
                yield return $"{path}:{nameof(Max)} is {backend.Max}: it must be at least 1, and no less than {nameof(Min)}, which is {backend.Min}.";
            }

            if (AcceleratorProblem(backend) is { } problem)
            {
                yield return $"{path}:{nameof(Accelerator)} is '{backend.Accelerator}': {problem}";
            }
            else if (backend is { Kind: VmBackends.Tpu, Min: > 0, Accelerator: "" })
            {
                yield return $"{path}:{nameof(Min)} is {backend.Min}: which slices are always to be there, {nameof(Accelerator)} says, for example v5litepod-16.";
            }

            if (backend.Idle <= TimeSpan.Zero)
            {
                yield return $"{path}:{nameof(Idle)} is {backend.Idle}: it must be more than nothing.";
            }

            if (backend.MaxConcurrentJobs is < 1 or > 10_000)
            {
                yield return $"{path}:{nameof(MaxConcurrentJobs)} is {backend.MaxConcurrentJobs}: it is from 1 to 10000.";
            }
        }
    }

    /// <summary>Makes the backends of the configuration.</summary>
    /// <exception cref="OptionsValidationException">One cannot be made with its settings.</exception>
    public static VmSources Open(ControllerOptions options, IConfiguration configuration, OpenedCluster opened, TimeProvider time, ILoggerFactory loggers)
    {
        var sources = new List<VmSource>();
        for (var i = 0; i < options.Backends.Count; i++)
        {
            var (backend, path) = (options.Backends[i], $"{ControllerOptions.Section}:{nameof(ControllerOptions.Backends)}:{i}");
            var own = configuration.GetSection(path).AsEnumerable(makePathsRelative: true)
                .Where(pair => pair.Value is not null && !Names.Contains(pair.Key, StringComparer.OrdinalIgnoreCase))
                .ToDictionary(pair => pair.Key, pair => pair.Value!, StringComparer.OrdinalIgnoreCase);
            try
            {
                sources.Add(backend.Make(new VmBackendSetup(backend.Kind, backend.NameOrKind, path, own)
                {
                    ClusterId = opened.State.Meta.ClusterId,
                    DataDirectory = Path.Combine(opened.Directory.FullPath, "machines", backend.NameOrKind),
                    Time = time,
                    Loggers = loggers,
                }));
            }
            catch (FormatException exception)
            {
                throw new OptionsValidationException(nameof(ControllerOptions.Backends), typeof(ControllerOptions), [exception.Message]);
            }
        }

        return new VmSources(sources);
    }

    /// <summary>Makes one of them. These settings have no problems.</summary>
    /// <exception cref="FormatException">It cannot be made with its settings.</exception>
    public VmSource Make(VmBackendSetup setup)
    {
        var source = new VmSource(VmBackends.Create(setup))
        {
            Min = Min,
            Max = Max,
            Device = VmAccelerators.Parse(Kind, Accelerator),
            Idle = Idle,
            Containers = Containers,
            MaxConcurrentJobs = MaxConcurrentJobs,
            NamePrefix = Kind == VmBackends.Tpu ? "fluster-tpu" : "fluster",
        };
        return Min == 0 || source.Backend.Offers(source.Least).Any(offer => offer.Workers == source.LeastWorkers)
            ? source
            : throw new FormatException($"{setup.Path}:{nameof(Min)} is {Min}, and with its settings the backend has no machine for {source.Least}.{(source.Device is Device.Gpu ? " Machines with GPUs need a GpuImage." : "")}");
    }

    private static string? AcceleratorProblem(VmBackendOptions backend)
    {
        try
        {
            VmAccelerators.Parse(backend.Kind, backend.Accelerator);
            return null;
        }
        catch (FormatException exception)
        {
            return exception.Message;
        }
    }
}
