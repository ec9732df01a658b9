using Grpc.Core;

namespace Fluster.Controller;

/// <summary>One open link of a worker: applies what it reports, and sends what it is to hold whenever that changes.</summary>
internal sealed class WorkerConnection(
    long workerUid, ulong incarnation, DesiredSet desired, ClusterLoop loop, WorkerLinks links, TokenRenewal renewal, JobTracer tracer, TimeProvider time) : IDisposable
{
    /// <summary>A complete set goes out so often, whether anything changed or not.</summary>
    private static readonly TimeSpan s_completeInterval = TimeSpan.FromSeconds(30);

    private readonly Signal _signal = new();
    private readonly CancellationTokenSource _closed = new();
    private volatile bool _answerDue;

    public long WorkerUid => workerUid;

    /// <summary>What the worker is to hold may have changed. Never waits.</summary>
    public void Update() => _signal.Set();

    /// <summary>Ends the link: a newer one has come, or the controller stops.</summary>
    public void Close() => _closed.Cancel();

    /// <summary>Runs until either side ends the link.</summary>
    public async Task RunAsync(
        IAsyncStreamReader<V1.WorkerLinkRequest> reports, IServerStreamWriter<V1.WorkerLinkResponse> frames, CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _closed.Token);
        var reading = ReadAsync(reports, ended.Token);
        var sending = SendAsync(frames, ended.Token);
        try
        {
            await await Task.WhenAny(reading, sending);
        }
        catch (Exception exception) when (exception is OperationCanceledException && ended.IsCancellationRequested || exception is IOException)
        {
            // Closed, or the worker is gone.
        }
        finally
        {
            await ended.CancelAsync();
            await Task.WhenAll(reading, sending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>What the worker said when it came.</summary>
    public void Greeted(IEnumerable<Observation> holdings) => desired.Applied(holdings, loop.Current);

    public void Dispose() => _closed.Cancel(); // not disposed: a controller that stops closes all links, also those that are just ending

    private async Task ReadAsync(IAsyncStreamReader<V1.WorkerLinkRequest> reports, CancellationToken cancellationToken)
    {
        while (await reports.MoveNext(cancellationToken))
        {
            if (reports.Current.FrameCase != V1.WorkerLinkRequest.FrameOneofCase.Observed)
            {
                throw new RpcException(new Status(StatusCode.InvalidArgument, "After its Hello a worker sends only what it observes."));
            }

            var observed = reports.Current.Observed;
            links.Heard(workerUid, observed.Health);
            var seen = observed.Attempts.Where(attempt => attempt.Phase != V1.AttemptPhase.Unspecified).Select(OutcomeWire.ToRecord).ToList();
            foreach (var observation in seen)
            {
                ResultRules.Check(observation.Outcome?.Result);
            }

            await loop.ApplyAsync(new ClusterInput.Observe(workerUid, incarnation, [.. seen], [.. desired.MissingFrom(observed)]), cancellationToken);
            _answerDue |= desired.HasExclusive(loop.Current);
            if (desired.Applied(seen, loop.Current) || _answerDue)
            {
                _signal.Set();
            }
        }
    }

    private async Task SendAsync(IServerStreamWriter<V1.WorkerLinkResponse> frames, CancellationToken cancellationToken)
    {
        var completed = time.GetTimestamp();
        var complete = true;
        while (true)
        {
            if (loop.Current.Workers.Find(workerUid) is not { State: not WorkerState.Lost })
            {
                // Its attempts were given up while it was silent: it has to say Hello again, so that both know what is left.
                throw new RpcException(new Status(StatusCode.Aborted, "The worker was silent for too long and was given up; say Hello again."));
            }

            var answer = _answerDue;
            _answerDue = false;
            var state = loop.Current;
            if (desired.Next(state, complete, links.NextVersion, answer) is { } frame)
            {
                tracer.Sent(state, frame);
                await frames.WriteAsync(new V1.WorkerLinkResponse { Desired = frame }, cancellationToken);
            }

            if (complete)
            {
                completed = time.GetTimestamp();
            }

            if (renewal.Due() is { } token)
            {
                await frames.WriteAsync(new V1.WorkerLinkResponse { Renewal = new V1.TokenRenewal { Token = token } }, cancellationToken);
            }

            var left = TimeSpan.FromTicks(Math.Min((s_completeInterval - time.GetElapsedTime(completed)).Ticks, renewal.Left.Ticks));
            await _signal.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, time, cancellationToken);
            complete = time.GetElapsedTime(completed) >= s_completeInterval;
        }
    }
}
