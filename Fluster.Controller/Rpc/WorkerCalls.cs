using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Fluster.Controller;

/// <summary>The calls of workers, and about them.</summary>
internal sealed partial class WorkerCalls(
    ClusterLoop loop, WorkerLinks links, AttemptSpecs specs, TokenIssuer tokens, IOptions<ControllerOptions> options, TimeProvider time, ILogger<WorkerCalls> logger)
{
    private static readonly TimeSpan s_helloTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_longestReportInterval = TimeSpan.FromSeconds(5);

    /// <summary>Three reports fit into the shortest silence that counts.</summary>
    private readonly TimeSpan _reportInterval = TimeSpan.FromSeconds(options.Value.WorkerSuspectSeconds / 3.0) is var third && third < s_longestReportInterval ? third : s_longestReportInterval;

    public async Task LinkAsync(
        Caller caller, IAsyncStreamReader<V1.WorkerLinkRequest> reports, IServerStreamWriter<V1.WorkerLinkResponse> frames, CancellationToken cancellationToken)
    {
        var hello = await HelloOf(reports, cancellationToken);
        var worker = IdentityOf(caller, hello.WorkerId, hello.ClusterId, hello.Epoch);
        var holdings = hello.Holdings.Where(holding => holding.Phase != V1.AttemptPhase.Unspecified).Select(OutcomeWire.ToRecord).ToList();
        foreach (var holding in holdings)
        {
            ResultRules.Check(holding.Outcome?.Result);
        }

        var result = await loop.ApplyAsync(new ClusterInput.Hello(worker, hello.Incarnation, TraitsOf(hello.Capabilities), [.. holdings]), cancellationToken);
        using var connection = new WorkerConnection(
            result.Subject, hello.Incarnation, new DesiredSet(result.Subject, hello.Incarnation, specs), loop, links, time);
        connection.Greeted(holdings);
        links.Attach(connection);
        Log.Came(logger, worker, hello.Incarnation, holdings.Count);
        try
        {
            await frames.WriteAsync(new V1.WorkerLinkResponse { Welcome = Welcome(worker) }, cancellationToken);
            await connection.RunAsync(reports, frames, cancellationToken);
        }
        finally
        {
            links.Detach(connection);
            Log.Went(logger, worker);
        }
    }

    public V1.ListWorkersResponse List()
    {
        var state = loop.Current;
        var now = loop.Now().Time;
        var response = new V1.ListWorkersResponse();
        foreach (var worker in state.Workers.Ascending().OrderBy(worker => worker.Id.ToString(), StringComparer.Ordinal))
        {
            var news = links.NewsOf(worker.Uid);
            response.Workers.Add(new V1.WorkerInfo
            {
                WorkerId = worker.Id.ToString(),
                State = worker.State == WorkerState.Alive && !worker.TakesWork(now) ? "Quarantined" : worker.State.ToString(),
                Capabilities = V1.WorkerCapabilities.Parser.ParseFrom(worker.Traits.Capabilities.Span),
                Used = new V1.ResourceSpec
                {
                    CpuMillis = worker.Used.CpuMillis,
                    MemoryBytes = worker.Used.MemoryBytes,
                    DiskBytes = worker.Used.DiskBytes,
                },
                RunningAttempts = worker.Held.Count(fence => state.Attempt(fence) is { IsLive: true }),
                ConnectedAt = Timestamp.FromDateTimeOffset(DateTimeOffset.FromUnixTimeMilliseconds(worker.ConnectedAt)),
                LastHeardAt = news?.HeardAt.ToTimestamp(),
                Health = news?.Health,
            });
        }

        return response;
    }

    /// <summary>Checks that whoever opens a stream is the worker of its token, and is of this cluster.</summary>
    /// <exception cref="RpcException">It is not.</exception>
    public WorkerId IdentityOf(Caller caller, string workerId, string clusterId, long epoch)
    {
        var meta = loop.Current.Meta;
        if (clusterId.Length > 0 && clusterId != meta.ClusterId)
        {
            throw new RpcException(new Status(StatusCode.FailedPrecondition, $"The worker belongs to cluster {clusterId}, and this is cluster {meta.ClusterId}."));
        }

        if (clusterId.Length > 0 && epoch > meta.Epoch)
        {
            throw new RpcException(new Status(
                StatusCode.FailedPrecondition, $"The worker has seen epoch {epoch} of this cluster, and this controller is at {meta.Epoch}: its data is older than what the worker knows."));
        }

        if (!TryParse(workerId, out var worker))
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"'{workerId}' is not a worker id."));
        }

        return caller.Claims.Worker == workerId
            ? worker
            : throw new RpcException(new Status(StatusCode.PermissionDenied, $"The token is for worker '{caller.Claims.Worker}', not for '{workerId}'."));
    }

    private static bool TryParse(string text, out WorkerId worker)
    {
        try
        {
            worker = WorkerId.Parse(text);
            return true;
        }
        catch (FormatException)
        {
            worker = default;
            return false;
        }
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

    private V1.WorkerWelcome Welcome(WorkerId worker) => new()
    {
        ClusterId = loop.Current.Meta.ClusterId,
        Epoch = loop.Current.Meta.Epoch,
        ClusterKey = tokens.PublicKey,
        ReportInterval = Duration.FromTimeSpan(_reportInterval),
        Token = tokens.ForWorker(worker),
    };

    private static WorkerTraits TraitsOf(V1.WorkerCapabilities? capabilities)
    {
        capabilities ??= new V1.WorkerCapabilities();
        return new WorkerTraits
        {
            Capacity = capabilities.Capacity.ToShape(),
            MaxConcurrentJobs = Math.Max(0, capabilities.MaxConcurrentJobs),
            Region = capabilities.Region,
            Capabilities = capabilities.ToByteArray(),
        };
    }

    private static partial class Log
    {
        [LoggerMessage(120, LogLevel.Information, "Worker {Worker} is connected (incarnation {Incarnation}); it holds {Holdings} attempts")]
        public static partial void Came(ILogger logger, WorkerId worker, ulong incarnation, int holdings);

        [LoggerMessage(121, LogLevel.Information, "Worker {Worker} is disconnected")]
        public static partial void Went(ILogger logger, WorkerId worker);
    }
}
