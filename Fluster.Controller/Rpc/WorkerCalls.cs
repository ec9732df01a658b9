using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Fluster.Controller;

/// <summary>The calls of workers, and about them.</summary>
internal sealed partial class WorkerCalls(
    ClusterLoop loop, WorkerLinks links, WorkerAdmission admission, AttemptSpecs specs, TokenIssuer tokens, JobTracer tracer, IOptions<ControllerOptions> options, TimeProvider time, ILogger<WorkerCalls> logger)
{
    private static readonly TimeSpan s_helloTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_longestReportInterval = TimeSpan.FromSeconds(5);

    /// <summary>Three reports fit into the shortest silence that counts.</summary>
    private readonly TimeSpan _reportInterval = TimeSpan.FromSeconds(options.Value.WorkerSuspectSeconds / 3.0) is var third && third < s_longestReportInterval ? third : s_longestReportInterval;

    public async Task LinkAsync(
        Caller caller, IAsyncStreamReader<V1.WorkerLinkRequest> reports, IServerStreamWriter<V1.WorkerLinkResponse> frames, CancellationToken cancellationToken)
    {
        var hello = await HelloOf(reports, cancellationToken);
        var highest = hello.Holdings.Select(holding => new Fence(holding.Fence).Counter).DefaultIfEmpty(0).Max();
        var worker = admission.Admit(caller, hello.WorkerId, hello.ClusterId, hello.Epoch, highest);
        var holdings = hello.Holdings.Where(holding => holding.Phase != V1.AttemptPhase.Unspecified).Select(OutcomeWire.ToRecord).ToList();
        foreach (var holding in holdings)
        {
            ResultRules.Check(holding.Outcome?.Result);
        }

        var result = await GreetAsync(new ClusterInput.Hello(worker, hello.Incarnation, TraitsOf(hello.Capabilities), [.. holdings], hello.Link, caller.Pass), cancellationToken);
        using var connection = new WorkerConnection(
            result.Subject, hello.Incarnation, new DesiredSet(result.Subject, hello.Incarnation, specs.Of), loop, links, new TokenRenewal(() => TokenFor(worker, caller), tokens.WorkerLifetime, time), tracer, time);
        connection.Greeted(holdings);
        links.Attach(connection);
        Log.Came(logger, worker, hello.Incarnation, holdings.Count);
        try
        {
            await frames.WriteAsync(new V1.WorkerLinkResponse { Welcome = Welcome(worker, caller, hello.ClusterId) }, cancellationToken);
            await connection.RunAsync(reports, frames, cancellationToken);
        }
        finally
        {
            links.Detach(connection);
            Log.Went(logger, worker);
        }
    }

    private async Task<StepResult> GreetAsync(ClusterInput.Hello hello, CancellationToken cancellationToken)
    {
        try
        {
            return await loop.ApplyAsync(hello, cancellationToken);
        }
        catch (ClusterRejectedException rejected)
        {
            Log.NotLetIn(logger, hello.Worker, rejected.Message); // the worker may be on a machine whose console nobody reads
            throw;
        }
    }

    public V1.ListWorkersResponse List()
    {
        var state = loop.Current;
        var now = loop.Now().Time;
        var response = new V1.ListWorkersResponse();
        foreach (var worker in state.Workers.Ascending().OrderBy(worker => worker.Id.ToString(), StringComparer.Ordinal))
        {
            response.Workers.Add(InfoOf(state, worker, now));
        }

        return response;
    }

    /// <summary>Has a worker end when it holds nothing any more.</summary>
    public async Task<V1.DrainWorkerResponse> DrainAsync(V1.DrainWorkerRequest request, CancellationToken cancellationToken)
    {
        var worker = loop.Current.Workers.Ascending().FirstOrDefault(worker => worker.Id.ToString() == request.WorkerId)
            ?? throw new RpcException(new Status(StatusCode.NotFound, $"There is no worker '{request.WorkerId}'."));
        await loop.ApplyAsync(new ClusterInput.DrainWorker(worker.Uid, request.Now), cancellationToken);
        Log.Drains(logger, worker.Id, request.Now);
        var state = loop.Current;
        return new V1.DrainWorkerResponse { Worker = InfoOf(state, state.Workers.Find(worker.Uid)!, loop.Now().Time) };
    }

    private V1.WorkerInfo InfoOf(ClusterState state, WorkerRecord worker, long now)
    {
        var news = links.NewsOf(worker.Uid);
        return new V1.WorkerInfo
        {
            WorkerId = worker.Id.ToString(),
            State = worker switch
            {
                { Draining: true, Held.IsEmpty: true } when !links.IsConnected(worker.Uid) => "Drained",
                { Draining: true, State: not WorkerState.Lost } => "Draining",
                { State: WorkerState.Alive } when !worker.TakesWork(now) => "Quarantined",
                _ => worker.State.ToString(),
            },
            Capabilities = V1.WorkerCapabilities.Parser.ParseFrom(worker.Traits.Capabilities.Span),
            Used = new V1.ResourceSpec
            {
                CpuMillis = worker.Used.CpuMillis,
                MemoryBytes = worker.Used.MemoryBytes,
                DiskBytes = worker.Used.DiskBytes,
                Device = worker.Used.Gpus.IsEmpty
                    ? null
                    : new V1.Device { Gpu = new V1.GpuDevice { Variant = worker.Traits.Capacity.GpuVariant, Count = worker.Used.Gpus.Count } },
            },
            RunningAttempts = worker.Held.Count(fence => state.Attempt(fence) is { IsLive: true }),
            ConnectedAt = Timestamp.FromDateTimeOffset(DateTimeOffset.FromUnixTimeMilliseconds(worker.ConnectedAt)),
            LastHeardAt = news?.HeardAt.ToTimestamp(),
            Health = news?.Health,
        };
    }

    private async Task<V1.WorkerHello> HelloOf(IAsyncStreamReader<V1.WorkerLinkRequest> reports, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(s_helloTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            if (await reports.MoveNext(either.Token) && reports.Current.FrameCase == V1.WorkerLinkRequest.FrameOneofCase.Hello)
            {
                return reports.Current.Hello;
            }
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested)
        {
            // Said nothing.
        }

        throw new RpcException(new Status(StatusCode.InvalidArgument, "A worker begins with Hello."));
    }

    /// <summary>A token that replaces the worker's; on a machine of a backend, the credential for which the machine's token is exchanged.</summary>
    private string TokenFor(WorkerId worker, Caller caller) =>
        caller.Claims.VmUid is not { } uid ? tokens.ForWorker(worker)
        : loop.Current.Vms.Find(uid) is { } vm ? tokens.ForWorker(worker, vm)
        : ""; // the machine is gone: its worker keeps what it has, which is worth nothing any more

    private V1.WorkerWelcome Welcome(WorkerId worker, Caller caller, string from) => new()
    {
        ClusterId = loop.Current.Meta.ClusterId,
        Epoch = loop.Current.Meta.Epoch,
        ClusterKey = tokens.PublicKey,
        ReportInterval = Duration.FromTimeSpan(_reportInterval),
        Token = TokenFor(worker, caller),
        Adoption = from.Length > 0 && from != loop.Current.Meta.ClusterId ? tokens.ForAdoption(worker, from, loop.Current.Meta.ClusterId) : "",
    };

    /// <summary>Among a worker's runtimes: it has a container engine that answers.</summary>
    private const string ContainerRuntime = "docker";

    private static WorkerTraits TraitsOf(V1.WorkerCapabilities? capabilities)
    {
        capabilities ??= new V1.WorkerCapabilities();
        var shape = capabilities.Capacity.ToShape();
        return new WorkerTraits
        {
            Capacity = shape with { Gpus = Math.Min(shape.Gpus, GpuSet.Most), Container = capabilities.Runtimes.Contains(ContainerRuntime) },
            MaxConcurrentJobs = Math.Max(0, capabilities.MaxConcurrentJobs),
            Region = capabilities.Region,
            Capabilities = capabilities.ToByteArray(),
        };
    }

    private static partial class Log
    {
        [LoggerMessage(120, LogLevel.Information, "Worker {Worker} is connected (incarnation {Incarnation}); it holds {Holdings} attempts")]
        public static partial void Came(ILogger logger, WorkerId worker, ulong incarnation, int holdings);

        [LoggerMessage(123, LogLevel.Warning, "Worker {Worker} is not let in: {Why}")]
        public static partial void NotLetIn(ILogger logger, WorkerId worker, string why);

        [LoggerMessage(122, LogLevel.Information, "Worker {Worker} is to end when it is empty (what runs there is stopped: {Now})")]
        public static partial void Drains(ILogger logger, WorkerId worker, bool now);

        [LoggerMessage(121, LogLevel.Information, "Worker {Worker} is disconnected")]
        public static partial void Went(ILogger logger, WorkerId worker);
    }
}
