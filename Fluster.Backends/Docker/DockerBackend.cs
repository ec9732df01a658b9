using System.Globalization;

namespace Fluster.Backends;

/// <summary>
/// Machines that are containers with a worker in them, on the engine of the controller's host (seed 003, stage 9): for trying what moves between machines, and for tests. A container
/// has the limits that were asked for. It is never started again: a worker that has ended is a machine that is gone.
/// </summary>
internal sealed class DockerBackend : IVmBackend, IDisposable
{
    public const string ClusterLabel = "fluster.cluster";
    public const string VmLabel = "fluster.vm";

    /// <summary>On containers of jobs that a worker started: they are the machine's, too.</summary>
    private const string WorkerLabel = "fluster.worker";

    private const string ShapeName = "container";
    private const string HostNetwork = "host";
    private const long NanoCpusPerMilli = 1_000_000;

    /// <summary>What the worker program itself needs beside its jobs.</summary>
    private static readonly ByteSize s_workersOwn = ByteSize.FromMiB(256);

    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly DockerEngine _engine;
    private readonly TimeProvider _time;
    private readonly string _clusterId;
    private readonly string _image;
    private readonly string _network;
    private readonly ResourceSpec _least;
    private readonly ResourceSpec _most;
    private readonly DockerMount[] _mounts;

    private DockerBackend(VmBackendSetup setup, ResourceSpec least, ResourceSpec most)
    {
        (Name, _clusterId, _time, _least, _most) = (setup.Name, setup.ClusterId, setup.Time, least, most);
        _engine = new DockerEngine(setup.Get("Socket") ?? DockerEngine.DefaultSocket);
        _image = setup.Get("Image") ?? "fluster/worker:dev";
        _network = setup.Get("Network") ?? HostNetwork;

        // Workers of one network hold each other's ports by files that all of them see.
        var locks = Path.Combine(Path.GetTempPath(), "fluster-ports");
        Directory.CreateDirectory(locks);
        _mounts =
        [
            .. _network == HostNetwork ? [new DockerMount(locks, "/tmp/fluster-ports", ReadOnly: false)] : Array.Empty<DockerMount>(),
            .. setup.Settings.Where(pair => pair.Key.StartsWith("Volumes:", StringComparison.OrdinalIgnoreCase)).OrderBy(pair => pair.Key, StringComparer.OrdinalIgnoreCase)
                .Select(pair => MountOf($"{setup.Path}:{pair.Key}", pair.Value)),
        ];
        BootTimeout = setup.Get(nameof(BootTimeout), TimeSpan.FromSeconds(60), text => TimeSpan.Parse(text, CultureInfo.InvariantCulture));
    }

    public string Name { get; }

    public TimeSpan BootTimeout { get; }

    /// <exception cref="FormatException">A setting is wrong.</exception>
    public static DockerBackend Create(VmBackendSetup setup)
    {
        setup.Only("Socket", "Image", "Network", "Cpu", "Memory", "MaxCpu", "MaxMemory", "Volumes", nameof(BootTimeout));
        if (setup.Get("Image") is { } image && ContainerImage.Problem(image) is { } problem)
        {
            throw new FormatException($"{setup.Path}:Image: {problem}");
        }

        var least = new ResourceSpec
        {
            Cpu = setup.Get("Cpu", 1.0, Cores),
            Memory = setup.Get("Memory", ByteSize.FromGiB(1), ByteSize.Parse),
        };
        var most = new ResourceSpec
        {
            Cpu = setup.Get("MaxCpu", Environment.ProcessorCount, Cores),
            Memory = setup.Get("MaxMemory", new ByteSize(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes), ByteSize.Parse),
        };
        if (least.CpuMillis == 0 || least.Memory.Bytes == 0)
        {
            throw new FormatException($"{setup.Path}:{(least.CpuMillis == 0 ? "Cpu" : "Memory")} is 0: a machine without {(least.CpuMillis == 0 ? "a processor" : "memory")} runs nothing.");
        }

        if (least.CpuMillis > most.CpuMillis || least.Memory > most.Memory)
        {
            throw new FormatException($"{setup.Path}: a container has at least {least.Cpu:0.###} cores and {least.Memory} (Cpu, Memory), which is more than it may have: {most.Cpu:0.###} and {most.Memory} (MaxCpu, MaxMemory).");
        }

        return new DockerBackend(setup, least, most);
    }

    public IReadOnlyList<VmOffer> Offers(ResourceSpec needs)
    {
        if (needs.Device is not Device.Cpu || needs.Regions.Count > 0 || needs.CpuMillis > _most.CpuMillis || needs.Memory > _most.Memory)
        {
            return [];
        }

        var resources = new ResourceSpec
        {
            CpuMillis = Math.Max(needs.CpuMillis, _least.CpuMillis),
            Memory = needs.Memory > _least.Memory ? needs.Memory : _least.Memory,
            Disk = needs.Disk,
        };
        return [new VmOffer(ShapeName, "", resources) { Scopes = [Name] }];
    }

    public async Task AllocateAsync(VmRequest request, CancellationToken cancellationToken = default)
    {
        try
        {
            if (await FindAsync(request.Id, cancellationToken).ConfigureAwait(false) is not { } container)
            {
                await HaveImageAsync(cancellationToken).ConfigureAwait(false);
                container = await CreateAsync(request, cancellationToken).ConfigureAwait(false);
            }

            if (container.State == "created")
            {
                await _engine.StartContainerAsync(container.Id, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (DockerEngineException exception)
        {
            throw Failed($"The container of '{request.Id}' could not be made", exception, mayExist: true);
        }
    }

    public async Task ReleaseAsync(VmId id, string zone, CancellationToken cancellationToken = default)
    {
        var started = _time.GetTimestamp();
        try
        {
            while (true)
            {
                // The worker first: it would go on to start containers of jobs.
                var machine = await FindAsync(id, cancellationToken).ConfigureAwait(false);
                var left = machine is not null ? [machine] : await JobsOfAsync(id, cancellationToken).ConfigureAwait(false);
                if (left.Count == 0)
                {
                    return;
                }

                foreach (var container in left)
                {
                    await _engine.RemoveAsync(container.Id, cancellationToken).ConfigureAwait(false);
                }

                if (_time.GetElapsedTime(started) > s_patience)
                {
                    throw new VmException(VmFailureKind.Transient, $"The Docker Engine has not removed '{id}' within {s_patience.TotalSeconds} s.") { Scope = Name, MayExist = true };
                }

                await Task.Delay(s_look, _time, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (DockerEngineException exception)
        {
            throw Failed($"The container of '{id}' could not be removed", exception, mayExist: true);
        }
    }

    public async Task<VmInfo?> GetAsync(VmId id, string zone, CancellationToken cancellationToken = default)
    {
        try
        {
            return await FindAsync(id, cancellationToken).ConfigureAwait(false) is { } container ? InfoOf(id, container) : null;
        }
        catch (DockerEngineException exception)
        {
            throw Failed($"Nobody knows of '{id}' now", exception, mayExist: true);
        }
    }

    public async Task<VmListing> ListAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            var containers = await _engine.ListAsync(ClusterLabel, _clusterId, cancellationToken).ConfigureAwait(false);
            return new VmListing(
                [.. containers.Select(container => VmId.TryParse(container.Labels?.GetValueOrDefault(VmLabel), out var id) ? InfoOf(id, container) : null)
                    .OfType<VmInfo>().OrderBy(vm => vm.Id.ToString(), StringComparer.Ordinal)],
                IsComplete: true);
        }
        catch (DockerEngineException exception)
        {
            throw Failed("There is no list of containers now", exception, mayExist: true);
        }
    }

    public void Dispose() => _engine.Dispose();

    private static double Cores(string text) => double.Parse(text, CultureInfo.InvariantCulture) is >= 0 and <= 1e6 and var cores ? cores : throw new FormatException("it is a number of cores, such as 0.5 or 4.");

    private static DockerMount MountOf(string path, string text) => text.Split(':') switch
    {
        [var source, var target] when IsAbsolute(source) && IsAbsolute(target) => new DockerMount(source, target, ReadOnly: false),
        [var source, var target, "ro"] when IsAbsolute(source) && IsAbsolute(target) => new DockerMount(source, target, ReadOnly: true),
        _ => throw new FormatException($"{path} is '{text}': it is a directory of this machine and one of the container, such as /data:/data, or /data:/data:ro for reading only."),
    };

    private static bool IsAbsolute(string path) => path.StartsWith('/');

    private static VmInfo InfoOf(VmId id, DockerListed container) => new(id, container.State switch
    {
        "created" or "restarting" => VmStatus.Creating,
        "running" => VmStatus.Running,
        "removing" => VmStatus.Stopping,
        _ => VmStatus.Stopped, // exited, dead, paused
    })
    {
        Shape = ShapeName,
        Detail = container.State is "running" or "created" ? "" : $"its container is {container.State}: 'docker logs {id}' has what its worker wrote",
    };

    private async Task<DockerListed?> FindAsync(VmId id, CancellationToken cancellationToken) =>
        (await _engine.ListAsync(VmLabel, id.ToString(), cancellationToken).ConfigureAwait(false)).FirstOrDefault(container => container.Labels?.GetValueOrDefault(ClusterLabel) == _clusterId);

    private async Task<IReadOnlyList<DockerListed>> JobsOfAsync(VmId id, CancellationToken cancellationToken) =>
        [.. (await _engine.ListAsync(WorkerLabel, id.ToString(), cancellationToken).ConfigureAwait(false)).Where(container => container.Labels?.GetValueOrDefault(ClusterLabel) == _clusterId)];

    private async Task HaveImageAsync(CancellationToken cancellationToken)
    {
        if (await _engine.FindImageAsync(_image, cancellationToken).ConfigureAwait(false) is not null)
        {
            return;
        }

        try
        {
            await _engine.PullImageAsync(_image, cancellationToken).ConfigureAwait(false);
        }
        catch (DockerEngineException exception)
        {
            throw new VmException(VmFailureKind.Invalid, $"The image '{_image}' of the workers is not on the engine at {_engine.Socket}, and cannot be pulled: {exception.Message} 'eng/build-images.sh worker' builds it.", exception) { Scope = Name };
        }
    }

    private async Task<DockerListed> CreateAsync(VmRequest request, CancellationToken cancellationToken)
    {
        var environment = request.WorkerEnvironment.ToDictionary(StringComparer.Ordinal);
        environment.TryAdd("DOTNET_NOLOGO", "1");
        if (_network != HostNetwork)
        {
            environment.TryAdd("Fluster__Worker__BindHost", "0.0.0.0");
            environment.TryAdd("Fluster__Worker__AdvertiseHost", request.Id.ToString()); // containers of one network find each other by name
        }

        var memory = request.Offer.Resources.Memory.Bytes + s_workersOwn.Bytes;
        var container = new DockerContainerRequest
        {
            Image = _image,
            Entrypoint = ["dotnet", "/usr/lib/fluster/worker/Fluster.Worker.dll"],
            Env = [.. environment.OrderBy(variable => variable.Key, StringComparer.Ordinal).Select(variable => $"{variable.Key}={variable.Value}")],
            Labels = new Dictionary<string, string>(StringComparer.Ordinal) { [ClusterLabel] = request.ClusterId, [VmLabel] = request.Id.ToString(), ["fluster.backend"] = Name },
            HostConfig = new DockerHostConfig
            {
                Memory = memory,
                MemorySwap = memory,
                NanoCpus = Math.Min(request.Offer.Resources.CpuMillis, Environment.ProcessorCount * 1000) * NanoCpusPerMilli,
                NetworkMode = _network,
                Init = true,
                Mounts = _mounts,
            },
        };
        try
        {
            return new DockerListed(await _engine.CreateContainerAsync(request.Id.ToString(), container, cancellationToken).ConfigureAwait(false), "created", container.Labels);
        }
        catch (DockerEngineException exception) when (exception.Status == System.Net.HttpStatusCode.Conflict)
        {
            // A try before this one made it after we looked, or it is not ours.
            return await FindAsync(request.Id, cancellationToken).ConfigureAwait(false)
                ?? throw new VmException(VmFailureKind.NameTaken, $"There is a container '{request.Id}' that is not this cluster's.", exception);
        }
    }

    private VmException Failed(string what, DockerEngineException exception, bool mayExist) =>
        new(exception.Status is null or >= System.Net.HttpStatusCode.InternalServerError ? VmFailureKind.Transient : VmFailureKind.Invalid, $"{what}: {exception.Message}", exception)
        {
            Scope = Name,
            MayExist = mayExist,
        };
}
