using System.Text;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;

namespace Fluster.Controller;

/// <summary>What a request must fulfil before the rules of the cluster see it, and what they need of it.</summary>
internal static class LaunchRules
{
    private const int MostReplicas = 100_000;
    private const int MostRetries = 1_000_000;
    private const int MostArgumentBytes = 4 << 20;
    private const int MostVariables = 4_096;
    private const int MostSetupCommands = 1_000;
    private const int RequestIdLength = 64;
    private const int SuffixLength = 9; // "-1a2b3c4d"
    private const long DefaultCpuMillis = 100;
    private const long DefaultMemoryBytes = 256L << 20;
    private const int DefaultLossRetries = 100;

    private static readonly TimeSpan s_longestTimeout = TimeSpan.FromDays(3650);

    /// <summary>What is wrong with a request, as a sentence; null when nothing is.</summary>
    public static string? Problem(V1.LaunchJobRequest request) => request.Spec is not { } spec
        ? "The request has no spec."
        : JobName.Problem(spec.Name)
            ?? IdProblem(request.JobId, spec.Name)
            ?? (request.RequestId.Length is 0 or > RequestIdLength ? $"The request id has {request.RequestId.Length} characters; it needs 1 to {RequestIdLength}." : null)
            ?? EntrypointProblem(spec.Entrypoint)
            ?? EnvironmentProblem(spec.Environment)
            ?? PortName.Problem(spec.Ports)
            ?? Between(spec.Replicas, 0, MostReplicas / SliceSizeOf(spec), "replicas")
            ?? Between(spec.Retries?.Failures ?? 0, 0, MostRetries, "retries.failures")
            ?? Between(spec.Retries?.Preemptions ?? 0, 0, MostRetries, "retries.preemptions")
            ?? TimeoutProblem(spec.SchedulingTimeout, "scheduling_timeout")
            ?? TimeoutProblem(spec.ExecutionTimeout, "execution_timeout")
            ?? (spec.Namespace.Length > 0 && !Namespace.IsValid(spec.Namespace) ? $"'{spec.Namespace}' is not a namespace." : null)
            ?? (spec.Priority is < V1.Priority.Unspecified or > V1.Priority.Production ? $"{(int)spec.Priority} is not a priority." : null)
            ?? ResourceProblem(spec.Resources);

    /// <summary>Fills in what a request may leave out.</summary>
    public static void Complete(V1.JobSpec spec)
    {
        spec.Replicas = Math.Max(1, spec.Replicas);
        spec.Resources ??= new V1.ResourceSpec { CpuMillis = DefaultCpuMillis, MemoryBytes = DefaultMemoryBytes };
        spec.Retries ??= new V1.RetryBudget { Preemptions = DefaultLossRetries };
        spec.Environment ??= new V1.JobEnvironment();
    }

    public static JobTerms TermsOf(V1.JobSpec spec) => new()
    {
        Name = spec.Name,
        Replicas = spec.Replicas * SliceSizeOf(spec),
        SliceSize = SliceSizeOf(spec),
        Shape = spec.Resources.ToShape() with { Container = spec.Environment?.Image is { Length: > 0 } },
        Priority = spec.Priority == V1.Priority.Unspecified ? null : (JobPriority)spec.Priority,
        FailureRetries = spec.Retries.Failures,
        LossRetries = spec.Retries.Preemptions,
        SchedulingTimeout = Milliseconds(spec.SchedulingTimeout),
        ExecutionTimeout = Milliseconds(spec.ExecutionTimeout),
        Coscheduled = spec.Coscheduled,
        Exclusive = spec.Exclusive,
        KeepChildren = spec.KeepChildren,
    };

    /// <summary>Whether an id looks like one that a client made: a child's, or a name with its random suffix.</summary>
    public static bool IsMadeByClient(JobId id) => id.Parent is not null || id.LastPart is { Length: > SuffixLength } part && HasSuffix(part);

    /// <summary>A TPU slice of several machines has a task on each; the replicas of such a job are slices.</summary>
    private static int SliceSizeOf(V1.JobSpec spec) => TpuTopology.Find(spec.Resources?.Device?.Tpu?.Variant)?.Vms ?? 1;

    private static long Milliseconds(Duration? duration) => duration is null ? 0 : (long)Math.Ceiling(duration.ToTimeSpan().TotalMilliseconds);

    private static string? IdProblem(string text, string name)
    {
        if (!JobId.TryParse(text, out var id))
        {
            return $"'{text}' is not a job id: ids look like 'name-1a2b3c4d' or 'name-1a2b3c4d/child', at most {JobId.MaxDepth} parts.";
        }

        var last = id.LastPart;
        if (id.Parent is not null)
        {
            return last == name ? null : $"The id '{text}' of a child ends in '/' and the job's name, which is '{name}'.";
        }

        return last.Length == name.Length + SuffixLength && last.StartsWith(name, StringComparison.Ordinal) && HasSuffix(last)
            ? null
            : $"The id '{text}' of a root job is its name, '-' and 8 hexadecimal digits; the name is '{name}'.";
    }

    private static bool HasSuffix(string part) => part[^SuffixLength] == '-' && part[^(SuffixLength - 1)..].All(char.IsAsciiHexDigitLower);

    private static string? EntrypointProblem(V1.Entrypoint? entrypoint) => entrypoint?.KindCase switch
    {
        V1.Entrypoint.KindOneofCase.Command => ArgvProblem(entrypoint.Command.Argv),
        V1.Entrypoint.KindOneofCase.Dotnet => DotnetProblem(entrypoint.Dotnet),
        _ => "The job has no entrypoint.",
    };

    private static string? ArgvProblem(RepeatedField<string> argv)
    {
        if (argv.Count == 0 || argv[0].Length == 0)
        {
            return "A command needs a program: its first argument is missing or empty.";
        }

        if (argv.Any(argument => argument.Contains('\0', StringComparison.Ordinal)))
        {
            return "An argument of a command cannot contain a NUL character.";
        }

        var bytes = argv.Sum(argument => (long)Encoding.UTF8.GetByteCount(argument) + 1);
        return bytes > MostArgumentBytes ? $"The command's arguments have {bytes:N0} bytes together; {MostArgumentBytes:N0} (4 MiB) are allowed." : null;
    }

    private static string? DotnetProblem(V1.DotnetEntrypoint dotnet)
    {
        if (dotnet.Bundle is null || !BlobStore.IsHash(dotnet.Bundle.Hash))
        {
            return "A .NET entrypoint names its bundle by the SHA-256 of the manifest.";
        }

        if (dotnet.App.Length is 0 or > 255 || dotnet.App.AsSpan().ContainsAny('/', '\\', '\0') || dotnet.App[0] == '.')
        {
            return $"'{dotnet.App}' is not the name of an app in a bundle.";
        }

        return dotnet.Invocation?.SourceCase switch
        {
            V1.Payload.SourceOneofCase.Inline when dotnet.Invocation.Inline.Length > ResultRules.MostInline =>
                $"The invocation has {dotnet.Invocation.Inline.Length:N0} bytes; above {ResultRules.MostInline:N0} it is uploaded as a blob.",
            V1.Payload.SourceOneofCase.Inline => null,
            V1.Payload.SourceOneofCase.Blob when !BlobStore.IsHash(dotnet.Invocation.Blob.Hash) => "The invocation's blob is named by its SHA-256.",
            V1.Payload.SourceOneofCase.Blob when dotnet.Invocation.Blob.Size is < 0 or > MostArgumentBytes =>
                $"The invocation has {dotnet.Invocation.Blob.Size:N0} bytes; {MostArgumentBytes:N0} (4 MiB) are allowed.",
            V1.Payload.SourceOneofCase.Blob => null,
            _ => "A .NET entrypoint needs an invocation.",
        };
    }

    private static string? EnvironmentProblem(V1.JobEnvironment? environment)
    {
        if (environment is null)
        {
            return null;
        }

        if (environment.Image.Length > 0 && ContainerImage.Problem(environment.Image) is { } problem)
        {
            return problem;
        }

        if (environment.Variables.Count > MostVariables)
        {
            return $"A job can have {MostVariables} environment variables; this one has {environment.Variables.Count}.";
        }

        foreach (var (name, value) in environment.Variables)
        {
            if (name.Length == 0 || name.AsSpan().ContainsAny('=', '\0') || value.Contains('\0', StringComparison.Ordinal))
            {
                return $"'{name}' is not an environment variable that a process can have.";
            }
        }

        if (environment.SetupCommands.Count > MostSetupCommands || environment.SetupCommands.Any(string.IsNullOrWhiteSpace))
        {
            return $"There can be {MostSetupCommands} set-up commands, and none can be empty.";
        }

        return environment.WorkingFiles is { } files && !BlobStore.IsHash(files.Hash) ? "The working files are named by the SHA-256 of their manifest." : null;
    }

    private static string? ResourceProblem(V1.ResourceSpec? resources)
    {
        if (resources is null)
        {
            return null;
        }

        if (resources.CpuMillis < 0 || resources.MemoryBytes < 0 || resources.DiskBytes < 0)
        {
            return "Resources cannot be negative.";
        }

        try
        {
            resources.ToDomain();
            return null;
        }
        catch (FormatException exception)
        {
            return exception.Message;
        }
    }

    private static string? Between(int value, int least, int most, string name) =>
        value >= least && value <= most ? null : $"{name} is {value}; it can be {least} to {most}.";

    private static string? TimeoutProblem(Duration? timeout, string name)
    {
        if (timeout is null)
        {
            return null;
        }

        try
        {
            var time = timeout.ToTimeSpan();
            return time >= TimeSpan.Zero && time <= s_longestTimeout ? null : $"{name} is {time}; it can be 0 (never) to {s_longestTimeout.TotalDays:N0} days.";
        }
        catch (InvalidOperationException)
        {
            return $"{name} is not a duration.";
        }
    }
}
