using System.Runtime.Versioning;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.ServiceDiscovery;

namespace Fluster.Worker;

/// <summary>The parts of a worker, made and connected in the one order that works.</summary>
[SupportedOSPlatform("linux")]
internal sealed class WorkerParts : IAsyncDisposable
{
    private static readonly TimeSpan s_healthInterval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_farewell = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_guardPatience = TimeSpan.FromSeconds(5);

    private readonly Stack<IDisposable> _owned = new();
    private readonly TimeProvider _time;
    private readonly long _startedAt;
    private readonly WorkerMachine _machine;
    private readonly ProcessRuntime _runtime;
    private readonly DockerRuntime _containers;
    private readonly WorkerGuard _guard;
    private readonly AttemptUsers _users;
    private readonly MetadataFirewall _firewall;
    private readonly OrphanWatch _orphan;
    private volatile bool _saidContainers;
    private readonly ControllerLink _link;
    private readonly MetadataWatch _metadata;
    private readonly LogSender _logs;
    private readonly SpanOutbox _spans = new();
    private readonly SpanSender _spanSender;
    private long _links;

    private WorkerParts(WorkerOptions options, string directory, IDisposable holder, ServiceEndpointResolver resolver, TimeProvider time, ILoggerFactory loggers)
    {
        _time = time;
        _startedAt = time.GetTimestamp();
        _machine = new WorkerMachine(options, directory);
        _orphan = new OrphanWatch(options.OrphanTimeout, time);
        _owned.Push(holder);
        var id = options.Id.Length > 0 ? options.Id : Environment.MachineName.ToLowerInvariant();
        var memory = ClusterMemory.Open(directory, time.GetUtcNow());
        var spool = Own(AttemptSpool.Open(Path.Combine(directory, "spool")));
        var token = memory.TokenOr(options.Token);
        var pin = options.CertificateHash.Length > 0 ? options.CertificateHash : TokenClaims.ReadUnchecked(token)?.CertificateHash;
        var address = Own(new ControllerAddress(options.ControllerAddress, resolver, pin));
        var connection = new ControllerConnection(address.ConnectAsync, token);
        var transfer = new BlobTransfer(connection, time);
        var (blobDirectory, bundleDirectory) = (Path.Combine(directory, "blobs"), Path.Combine(directory, "bundles"));
        var cache = new DiskCache(DiskCache.DefaultLimit, () => BlobCache.EntriesOf(blobDirectory).Concat(BundleStore.EntriesOf(bundleDirectory)));
        var blobs = new BlobCache(blobDirectory, transfer.FetchAsync, cache);
        var pump = Own(new DescriptorPump(time, loggers.CreateLogger<DescriptorPump>()));
        var (isolation, launcher) = IsolationProbe.Choose(directory, options, pump, loggers);
        Own(launcher);
        var jobHost = options.JobHostPath.Length > 0 ? options.JobHostPath : Path.Combine(Path.GetDirectoryName(typeof(WorkerParts).Assembly.Location)!, "jobhost", "Fluster.JobHost.dll");
        _users = AttemptUsers.Choose(directory, options, isolation, launcher, [DotnetHost.Path, jobHost], loggers.CreateLogger<AttemptUsers>());
        _firewall = MetadataFirewall.Raise(options, _users, loggers.CreateLogger<MetadataFirewall>());
        _guard = Own(new WorkerGuard(isolation.Ward, time, loggers.CreateLogger<WorkerGuard>()));
        _guard.Start();
        AttemptLoop? loop = null;
        LogSpool OpenLog(Fence fence, V1.AttemptSpec spec) => loop!.OpenLog(fence, spec);
        _runtime = new ProcessRuntime(Path.Combine(directory, "work"), OpenLog, time)
        {
            Isolation = isolation,
            Launcher = launcher,
            Pump = pump,
            Ports = new PortPool(PortRange.Parse(options.PortRange), PortRange.Ephemeral(), PortPool.DefaultLockDirectory),
            Blobs = blobs,
            Bundles = new BundleStore(bundleDirectory, blobs, cache),
            Users = _users.Pool,
            MetadataGroup = _firewall.Group,
            JobHostPath = jobHost,
            Spans = _spans,
            Logger = loggers.CreateLogger<ProcessRuntime>(),
            Surroundings = new WorkerSurroundings
            {
                WorkerId = id,
                BindHost = options.BindHost,
                AdvertiseHost = options.AdvertiseHost.Length > 0 ? options.AdvertiseHost : options.BindHost,
                HasGpus = options.Gpus > 0,
                ControllerAddress = () => address.Current,
                ClusterKey = () => memory.ClusterKey,
                BaseVariables = BaseEnvironment.Of(Environment.GetEnvironmentVariables()),
                TpuVariables = options.TpuVariant.Length > 0 ? BaseEnvironment.TpuOf(Environment.GetEnvironmentVariables()) : new Dictionary<string, string>(StringComparer.Ordinal),
            },
        };
        _containers = Own(new DockerRuntime(new DockerEngine(options.DockerSocket), Path.Combine(directory, "work"), OpenLog, time)
        {
            Ward = isolation.Ward,
            Directory = directory,
            Pump = pump,
            Ports = _runtime.Ports,
            Blobs = blobs,
            Bundles = _runtime.Bundles,
            MetadataGroup = _firewall.Group,
            JobHostPath = _runtime.JobHostPath,
            Spans = _spans,
            Logger = loggers.CreateLogger<DockerRuntime>(),
            Surroundings = _runtime.Surroundings with { BaseVariables = new Dictionary<string, string>(StringComparer.Ordinal) },
            ClusterId = () => loop!.Cluster?.ClusterId ?? "",
        });
        loop = Own(new AttemptLoop(spool, memory, transfer, time, loggers.CreateLogger<AttemptLoop>()) { Runtime = new RuntimeChoice(_runtime, _containers) });
        Loop = loop;
        _link = new ControllerLink(connection, () => Hello(id, memory, isolation), new ClusterTrust(memory, id, options.Token, time), _orphan, loop.Post, time, loggers.CreateLogger<ControllerLink>());
        _logs = new LogSender(connection, () => LogsHello(id, memory), loop.LogAcknowledged, time, loggers.CreateLogger<LogSender>());
        _spanSender = new SpanSender(connection, _spans, () => SpansFrom(id, memory), time, loggers.CreateLogger<SpanSender>());
        (loop.Link, loop.Logs) = (_link, _logs);
        _metadata = new MetadataWatch(options.MetadataHost, loop.Post, time, loggers.CreateLogger<MetadataWatch>());
        loop.Recover();
        _containers.ProbeAsync(CancellationToken.None).GetAwaiter().GetResult(); // so that the first Hello says what there is; patient for seconds only
        loop.Post(new WorkerEvent.HealthTaken(Health()));
    }

    public AttemptLoop Loop { get; }

    /// <summary>Called when nobody will come back for this worker.</summary>
    public Action Orphaned { get; set; } = () => { };

    /// <exception cref="WorkerStartException">A part cannot be made on this machine, or with these settings.</exception>
    public static WorkerParts Open(
        WorkerOptions options, string directory, IDisposable holder, ServiceEndpointResolver resolver, TimeProvider time, ILoggerFactory loggers)
    {
        try
        {
            return new WorkerParts(options, directory, holder, resolver, time, loggers);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new WorkerStartException($"The worker cannot work in '{directory}': {exception.Message}", exception);
        }
    }

    /// <summary>Runs everything until it is cancelled or something fails.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task[] parts = [Loop.RunAsync(ended.Token), _link.RunAsync(ended.Token), _logs.RunAsync(ended.Token), _spanSender.RunAsync(ended.Token), _guard.RunAsync(ended.Token), _metadata.RunAsync(ended.Token), WatchHealthAsync(ended.Token)];
        try
        {
            await await Task.WhenAny(parts);
        }
        finally
        {
            await ended.CancelAsync();
            await Task.WhenAll(parts).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Ends the worker's own processes, the guard last: it sees to it that nothing is left.</summary>
    public async ValueTask DisposeAsync()
    {
        await _runtime.DisposeAsync();
        _runtime.Launcher.Dispose();
        await _guard.EndAsync(s_guardPatience);
        while (_owned.TryPop(out var owned))
        {
            owned.Dispose();
        }
    }

    private T Own<T>(T part)
        where T : IDisposable
    {
        _owned.Push(part);
        return part;
    }

    private async Task WatchHealthAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(s_healthInterval, _time);
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            await _containers.ProbeAsync(cancellationToken);
            if (_containers.State.Usable != _saidContainers)
            {
                _link.Reopen(); // jobs in containers are placed by what Hello says
            }

            Loop.Post(new WorkerEvent.HealthTaken(Health()));
            if (_orphan.IsOrphan)
            {
                Orphaned();
            }
        }
    }

    private V1.WorkerHealth Health()
    {
        var (free, total, problem) = _machine.Disk();
        var health = new V1.WorkerHealth
        {
            Uptime = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(_time.GetElapsedTime(_startedAt)),
            RunningAttempts = Loop.LiveAttempts,
            DiskFreeBytes = free,
            DiskTotalBytes = total,
            AcceptsWork = problem is null,
        };
        health.Runtimes.Add(new V1.RuntimeHealth { Name = "process", Usable = true, Detail = $"{_runtime.Isolation.Name}; {_users.Detail}{_firewall.Detail}" });
        health.Runtimes.Add(new V1.RuntimeHealth { Name = "docker", Usable = _containers.State.Usable, Detail = _containers.State.Detail });
        health.Problems.AddRange(_runtime.Problems);
        health.Problems.AddRange(_containers.Problems);
        if (problem is not null)
        {
            health.Problems.Add(problem);
        }

        return health;
    }

    private V1.WorkerHello Hello(string id, ClusterMemory memory, Isolation isolation)
    {
        _saidContainers = _containers.State.Usable;
        var cluster = Loop.Cluster;
        var hello = new V1.WorkerHello
        {
            ClusterId = cluster?.ClusterId ?? "",
            Epoch = cluster?.Epoch ?? 0,
            WorkerId = id,
            Incarnation = memory.Incarnation,
            Link = Interlocked.Increment(ref _links),
            Capabilities = _machine.Capabilities(isolation.Name, _saidContainers),
            ProtocolVersion = ProtocolVersion.Current,
        };
        hello.Holdings.AddRange(Loop.Holdings);
        return hello;
    }

    /// <summary>Sends the spans of what has ended, as far as the controller takes them now.</summary>
    public async Task SendSpansAsync()
    {
        using var limit = new CancellationTokenSource(s_farewell, _time);
        await _spanSender.SendAllAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private V1.ReportSpansRequest? SpansFrom(string id, ClusterMemory memory) => Loop.Cluster is not { } cluster
        ? null
        : new V1.ReportSpansRequest { ClusterId = cluster.ClusterId, Epoch = cluster.Epoch, WorkerId = id, Incarnation = memory.Incarnation };

    private V1.WorkerLogsHello LogsHello(string id, ClusterMemory memory)
    {
        var cluster = Loop.Cluster;
        return new V1.WorkerLogsHello { ClusterId = cluster?.ClusterId ?? "", Epoch = cluster?.Epoch ?? 0, WorkerId = id, Incarnation = memory.Incarnation };
    }
}
