using System.Globalization;
using System.Runtime.Versioning;

namespace Fluster.Worker;

/// <summary>What an attempt looks like as a container: where its files are inside, what is started, and what it may use.</summary>
[SupportedOSPlatform("linux")]
internal sealed class ContainerPlan(
    V1.AttemptSpec spec, Fence fence, DockerRuntime runtime, AttemptDirectory directory, DockerImage image, IReadOnlyDictionary<string, int> ports)
{
    private const string Root = "/fluster/";
    private const string Work = Root + "work";
    private const string Outcome = Root + "outcome";
    private const string Invocation = Root + "invocation";
    private const string Bundle = Root + "bundle";
    private const string JobHost = Root + "jobhost";
    private const string Notices = Root + "notices";
    private const string Spans = Root + "spans";

    /// <summary>The group of containers that are kept from the metadata server: "nogroup".</summary>
    private const string NoGroup = "65534";

    /// <summary>Engines refuse less.</summary>
    private const long LeastMemory = 6L << 20;

    private const long NanoCpusPerMilli = 1_000_000;
    private const long LeastNanoCpus = 10_000_000;

    private readonly List<DockerMount> _mounts = [new(directory.Work, Work, ReadOnly: false), new(directory.Notices, Notices, ReadOnly: true), new(directory.Spans, Spans, ReadOnly: false)];
    private string[] _argv = [];

    public bool HasSetup => spec.Environment?.SetupCommands.Count > 0;

    /// <summary>Bytes that everything in the container may have together; null: no limit.</summary>
    public long? MemoryLimit => spec.Resources?.MemoryBytes is { } asked and > 0 ? Math.Max(asked, LeastMemory) : null;

    private bool IsDotnet => spec.Entrypoint.KindCase == V1.Entrypoint.KindOneofCase.Dotnet;

    /// <summary>Brings the files of the entrypoint into place.</summary>
    /// <param name="hold">Keeps what the container reads in the worker's cache.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task PrepareAsync(CacheHold hold, CancellationToken cancellationToken)
    {
        if (HasSetup)
        {
            _mounts.Add(new(directory.Setup, SetupChannel.Directory, ReadOnly: false));
        }

        if (spec.Entrypoint.KindCase == V1.Entrypoint.KindOneofCase.Command)
        {
            _argv = [.. spec.Entrypoint.Command.Argv];
            return;
        }

        if (!IsDotnet)
        {
            throw new AttemptFailedException(new JobFailure(FailureKind.WorkerFault, "This worker is too old to know this kind of entrypoint."));
        }

        var dotnet = spec.Entrypoint.Dotnet;
        var bundle = await runtime.Bundles.GetAsync(dotnet.Bundle, cancellationToken, hold);
        var invocation = dotnet.Invocation.SourceCase == V1.Payload.SourceOneofCase.Blob
            ? await File.ReadAllBytesAsync(await runtime.Blobs.GetAsync(dotnet.Invocation.Blob, cancellationToken, hold), cancellationToken)
            : dotnet.Invocation.Inline.ToByteArray();
        await File.WriteAllBytesAsync(directory.Invocation, invocation, cancellationToken);
        _mounts.AddRange(
        [
            new(bundle, Bundle, ReadOnly: true),
            new(Path.GetDirectoryName(Path.GetFullPath(runtime.JobHostPath))!, JobHost, ReadOnly: true),
            new(directory.Invocation, Invocation, ReadOnly: true),
            new(directory.Outcome, Outcome, ReadOnly: false),
        ]);
        var app = $"{Bundle}/{dotnet.App}";
        _argv =
        [
            "dotnet", "exec", "--depsfile", app + ".deps.json", "--runtimeconfig", app + ".runtimeconfig.json",
            $"{JobHost}/{Path.GetFileName(runtime.JobHostPath)}", app + ".dll", Invocation, Outcome,
        ];
    }

    /// <param name="launched">Variables that are known only now.</param>
    public DockerContainerRequest Request(IReadOnlyDictionary<string, string>? launched = null)
    {
        var variables = JobVariables.Of(spec, fence, runtime.Surroundings, ports, runtime.Ward.MarkOf(fence));
        variables[FlusterEnvironment.PreemptionFile] = $"{Notices}/{Path.GetFileName(directory.Preemption)}";
        variables[FlusterEnvironment.SpanDirectory] = Spans;
        foreach (var (name, value) in launched ?? new Dictionary<string, string>(StringComparer.Ordinal))
        {
            variables[name] = value;
        }

        if (spec.GpuIndices.Count > 0)
        {
            variables[JobVariables.VisibleGpus] = string.Join(',', Enumerable.Range(0, spec.GpuIndices.Count)); // those that it has, as they are numbered inside
        }

        if (IsDotnet)
        {
            variables.TryAdd("DOTNET_NOLOGO", "1");
        }

        return new DockerContainerRequest
        {
            Image = image.Id, // what was looked at, whatever the name means by now
            Entrypoint = HasSetup ? SetupChannel.Wrap(spec.Environment.SetupCommands, _argv) : _argv,
            Env = [.. variables.Select(variable => $"{variable.Key}={variable.Value}")],
            User = User(),
            WorkingDir = WorksInItsOwnDirectory ? null : Work,
            Labels = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                [WardContainers.WardLabel] = runtime.Ward.Id,
                [WardContainers.DirectoryLabel] = runtime.Directory,
                [WardContainers.FenceLabel] = fence.ToString(),
                ["fluster.cluster"] = runtime.ClusterId(),
                ["fluster.worker"] = runtime.Surroundings.WorkerId,
                ["fluster.job"] = spec.JobId,
                ["fluster.namespace"] = spec.Namespace,
            },
            HostConfig = new DockerHostConfig
            {
                Memory = MemoryLimit ?? 0,
                MemorySwap = MemoryLimit ?? 0,
                NanoCpus = NanoCpus,

                // The worker's network: ports mean the same as for processes, and a controller on the loopback interface is reached.
                NetworkMode = "host",
                Init = true, // or SIGTERM would do nothing to a first process without a handler, and nobody would reap orphans
                CapDrop = ["ALL"],
                GroupAdd = runtime.MetadataGroup != 0 && spec.Environment.MetadataServer ? [runtime.MetadataGroup.ToString(CultureInfo.InvariantCulture)] : [],
                SecurityOpt = ["no-new-privileges"],
                Mounts = _mounts,
                DeviceRequests = spec.GpuIndices.Count > 0 ? [DockerDeviceRequest.Gpus(spec.GpuIndices)] : null,
                LogConfig = new DockerLogConfig("none"), // the worker's spool has it
            },
        };
    }

    /// <summary>
    /// An image that names no user gets the worker's: its files are then the worker's to remove. Where the metadata server is closed to jobs, root in root's group may ask it all
    /// the same, so no container is that: any user of an image may be root under another name, and has a group of ours unless its own is known by number.
    /// </summary>
    private string? User()
    {
        var named = image.Config?.User ?? "";
        if (runtime.MetadataGroup == 0)
        {
            return named.Length == 0 ? string.Create(CultureInfo.InvariantCulture, $"{Libc.geteuid()}:{Libc.getegid()}") : null;
        }

        var parts = named.Split(':');
        var isKnown = parts.Length == 2 && uint.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var group) && group != 0 && group != runtime.MetadataGroup;
        return $"{(parts[0].Length == 0 ? "0" : parts[0])}:{(isKnown ? parts[1] : NoGroup)}";
    }

    /// <summary>What it means that the engine could not start the container.</summary>
    public JobFailure StartFailure(string message) =>
        message.Contains("executable file not found", StringComparison.Ordinal) && !message.Contains("docker-init", StringComparison.Ordinal)
            ? Missing(FailureKind.ProgramNotFound)
            : new JobFailure(FailureKind.WorkerFault, $"The Docker Engine could not start the container: {message}");

    /// <summary>The container's init ran, but found no program to run; null when that is not so.</summary>
    public JobFailure? NotStarted(int exitCode, IReadOnlyList<string> lastLines) =>
        exitCode is 126 or 127 && lastLines.Any(line => line.StartsWith("[FATAL tini", StringComparison.Ordinal) && line.Contains($"exec {_argv[0]} failed", StringComparison.Ordinal))
            ? Missing(FailureKind.ProgramNotFound)
            : null;

    /// <summary>The image's own directory stays where it has one that the user can mean; files that the job brings are elsewhere.</summary>
    private bool WorksInItsOwnDirectory => !IsDotnet && spec.Environment.WorkingFiles is null && image.Config?.WorkingDir is not (null or "" or "/");

    private long NanoCpus => spec.Resources?.CpuMillis is { } millis and > 0
        ? Math.Clamp(millis * NanoCpusPerMilli, LeastNanoCpus, Environment.ProcessorCount * 1000 * NanoCpusPerMilli)
        : 0;

    private JobFailure Missing(FailureKind kind) => new(kind, IsDotnet
        ? $"The image '{spec.Environment.Image}' has no 'dotnet' program: .NET jobs need the .NET runtime in their image."
        : $"The program '{_argv[0]}' was not found in the image '{spec.Environment.Image}', or cannot be run.");
}
