using System.Collections.Concurrent;
using Fluster.Cluster;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Net.Client;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>The wire of a worker without a worker: a test says what it reports and looks at what it is told to hold.</summary>
internal sealed class FakeWorker : IAsyncDisposable
{
    private static readonly TimeSpan s_beat = TimeSpan.FromMilliseconds(250);

    private readonly ControllerProcess _controller;
    private readonly GrpcChannel _channel;
    private readonly AsyncDuplexStreamingCall<V1.WorkerLinkRequest, V1.WorkerLinkResponse> _link;
    private readonly ConcurrentDictionary<ulong, V1.DesiredAttempt> _desired = new();
    private readonly ConcurrentDictionary<ulong, bool> _acknowledged = new();
    private readonly ConcurrentDictionary<ulong, bool> _superseded = new();
    private readonly ConcurrentQueue<string> _renewals = new();
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly CancellationTokenSource _silenced = new();
    private Task _reading = Task.CompletedTask;
    private Task _beating = Task.CompletedTask;
    private long _applied;

    private FakeWorker(ControllerProcess controller, string id, ulong incarnation)
    {
        _controller = controller;
        Id = id;
        Incarnation = incarnation;
        _channel = controller.Channel();
        _link = ControllerProcess.Service(_channel).WorkerLink(controller.Headers(controller.WorkerToken(id)));
    }

    public string Id { get; }

    public ulong Incarnation { get; }

    public V1.WorkerWelcome Welcome { get; private set; } = new();

    /// <summary>What it is told to hold now.</summary>
    public IReadOnlyDictionary<ulong, V1.DesiredAttempt> Desired => _desired;

    /// <summary>The tokens that came after that of the Welcome.</summary>
    public IReadOnlyCollection<string> Renewals => _renewals;

    /// <summary>How the link ended; null while it is open.</summary>
    public RpcException? Ended { get; private set; }

    public static async Task<FakeWorker> ConnectAsync(
        ControllerProcess controller, string id = "w1", ulong incarnation = 1, Action<V1.WorkerHello>? configure = null)
    {
        var worker = new FakeWorker(controller, id, incarnation);
        var hello = new V1.WorkerHello
        {
            WorkerId = id,
            Incarnation = incarnation,
            ProtocolVersion = ProtocolVersion.Current,
            Capabilities = new V1.WorkerCapabilities
            {
                Capacity = new V1.ResourceSpec { CpuMillis = 4000, MemoryBytes = 4L << 30, DiskBytes = 10L << 30 },
                MaxConcurrentJobs = 10,
                Host = "localhost",
            },
        };
        configure?.Invoke(hello);
        await worker._link.RequestStream.WriteAsync(new V1.WorkerLinkRequest { Hello = hello });
        if (!await worker._link.ResponseStream.MoveNext())
        {
            throw new InvalidOperationException("The link ended without a welcome.");
        }

        worker.Welcome = worker._link.ResponseStream.Current.Welcome;
        worker._reading = worker.ReadAsync();
        worker._beating = worker.BeatAsync();
        return worker;
    }

    public async Task<V1.DesiredAttempt> WaitForAttemptAsync(string jobId, Func<V1.DesiredAttempt, bool>? condition = null)
    {
        V1.DesiredAttempt? found = null;
        await Eventually.True(
            () => (found = _desired.Values.FirstOrDefault(attempt => attempt.Spec.JobId == jobId && (condition?.Invoke(attempt) ?? true))) is not null,
            () => $"Worker {Id} was not told to hold {jobId}, but: {string.Join(", ", _desired.Values.Select(attempt => $"{attempt.Spec.JobId} {attempt.State}"))}. {Ended}");
        return found!;
    }

    public Task WaitForAcknowledgementAsync(ulong fence) =>
        Eventually.True(() => _acknowledged.ContainsKey(fence), () => $"The outcome of {fence} was not acknowledged. {Ended}");

    public Task WaitForSupersededAsync(ulong fence) =>
        Eventually.True(() => _superseded.ContainsKey(fence), () => $"{fence} was not superseded. {Ended}");

    public Task WaitForEndAsync() => Eventually.True(() => _reading.IsCompleted, () => "The link is open.");

    public Task RunningAsync(ulong fence) => ReportAsync(new V1.AttemptObservation { Fence = fence, Phase = V1.AttemptPhase.Running });

    public Task SucceededAsync(ulong fence, byte[]? result = null, V1.LogTotals? logs = null) => ReportAsync(Outcome(fence, new V1.AttemptOutcome
    {
        Succeeded = true,
        Result = result is null ? null : new V1.Payload { Inline = ByteString.CopyFrom(result) },
        Logs = logs ?? new V1.LogTotals(),
    }));

    public Task ExitedAsync(ulong fence, int code) => ReportAsync(Outcome(fence, new V1.AttemptOutcome
    {
        Failure = new V1.Failure { Kind = V1.FailureKind.ExitCode, Message = $"Exit code: {code}", ExitCode = code },
        Logs = new V1.LogTotals(),
    }));

    public Task ReportAsync(params V1.AttemptObservation[] attempts) => SendAsync(complete: false, attempts);

    public Task ReportCompleteAsync(params V1.AttemptObservation[] attempts) => SendAsync(complete: true, attempts);

    /// <summary>Reports nothing by itself from now on; the connection stays.</summary>
    public void FallSilent() => _silenced.Cancel();

    /// <summary>Opens the worker's log stream.</summary>
    public async Task<FakeWorkerLogs> OpenLogsAsync()
    {
        var logs = new FakeWorkerLogs(ControllerProcess.Service(_channel).WorkerLogs(_controller.Headers(_controller.WorkerToken(Id))));
        await logs.SendAsync(new V1.WorkerLogsRequest { Hello = new V1.WorkerLogsHello { WorkerId = Id, Incarnation = Incarnation } });
        return logs;
    }

    public async ValueTask DisposeAsync()
    {
        await _silenced.CancelAsync();
        await _beating;
        _link.Dispose();
        await _reading;
        _silenced.Dispose();
        _channel.Dispose();
        _writing.Dispose();
    }

    private static V1.AttemptObservation Outcome(ulong fence, V1.AttemptOutcome outcome)
    {
        outcome.EndedAt = TimeProvider.System.GetUtcNow().ToTimestamp();
        return new V1.AttemptObservation { Fence = fence, Phase = V1.AttemptPhase.Ended, Outcome = outcome };
    }

    private async Task SendAsync(bool complete, V1.AttemptObservation[] attempts)
    {
        await _writing.WaitAsync();
        try
        {
            var observed = new V1.Observed { AppliedVersion = Interlocked.Read(ref _applied), Complete = complete, Health = new V1.WorkerHealth { AcceptsWork = true } };
            observed.Attempts.AddRange(attempts);
            await _link.RequestStream.WriteAsync(new V1.WorkerLinkRequest { Observed = observed });
        }
        finally
        {
            _writing.Release();
        }
    }

    private async Task BeatAsync()
    {
        using var timer = new PeriodicTimer(s_beat, TimeProvider.System);
        try
        {
            while (await timer.WaitForNextTickAsync(_silenced.Token))
            {
                await ReportAsync();
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or RpcException or InvalidOperationException or IOException)
        {
            // Silenced, or the link has ended.
        }
    }

    private async Task ReadAsync()
    {
        try
        {
            while (await _link.ResponseStream.MoveNext())
            {
                switch (_link.ResponseStream.Current)
                {
                    case { Desired: { } desired }:
                        Apply(desired);
                        break;
                    case { Renewal: { } renewal }:
                        _renewals.Enqueue(renewal.Token);
                        break;
                }
            }
        }
        catch (RpcException exception)
        {
            Ended = exception;
        }
    }

    private void Apply(V1.Desired frame)
    {
        if (frame.Complete)
        {
            foreach (var gone in _desired.Keys.Except(frame.Attempts.Select(attempt => attempt.Fence)))
            {
                _desired.TryRemove(gone, out _);
            }
        }

        foreach (var attempt in frame.Attempts)
        {
            attempt.Spec ??= _desired[attempt.Fence].Spec;
            _desired[attempt.Fence] = attempt;
        }

        foreach (var fence in frame.Acknowledged)
        {
            _acknowledged[fence] = true;
            _desired.TryRemove(fence, out _);
        }

        foreach (var fence in frame.Superseded)
        {
            _superseded[fence] = true;
            _desired.TryRemove(fence, out _);
        }

        Interlocked.Exchange(ref _applied, frame.Version);
    }
}

/// <summary>The log stream of a worker without a worker.</summary>
internal sealed class FakeWorkerLogs(AsyncDuplexStreamingCall<V1.WorkerLogsRequest, V1.WorkerLogsResponse> call) : IDisposable
{
    public Task SendAsync(V1.WorkerLogsRequest request) => call.RequestStream.WriteAsync(request);

    public Task SendAsync(ulong fence, long sequence, long firstLine, params string[] lines) => SendAsync(new V1.WorkerLogsRequest
    {
        Chunk = new V1.LogChunk
        {
            Fence = fence,
            Sequence = sequence,
            Stream = V1.LogStream.Stdout,
            FirstLine = firstLine,
            LineCount = lines.Length,
            Time = TimeProvider.System.GetUtcNow().ToTimestamp(),
            Data = ByteString.CopyFromUtf8(string.Concat(lines.Select(line => line + "\n"))),
        },
    });

    /// <summary>Waits until everything up to a chunk is on the controller's disk.</summary>
    public async Task WaitForAcknowledgementAsync(ulong fence, long sequence)
    {
        while (await call.ResponseStream.MoveNext())
        {
            if (call.ResponseStream.Current.Fence == fence && call.ResponseStream.Current.Sequence >= sequence)
            {
                return;
            }
        }

        Assert.Fail($"Chunk {sequence} of {fence} was not acknowledged.");
    }

    public void Dispose() => call.Dispose();
}
