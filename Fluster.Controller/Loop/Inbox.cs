using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;

namespace Fluster.Controller;

/// <summary>An input on its way through the loop, and whoever waits for it.</summary>
internal sealed class Envelope(ClusterInput input, bool answered)
{
    private readonly TaskCompletionSource<StepResult>? _done =
        answered ? new TaskCompletionSource<StepResult>(TaskCreationOptions.RunContinuationsAsynchronously) : null;

    public ClusterInput Input { get; } = input;

    /// <summary>An item in a queue carries no ambient context, so the trace is handed over by hand.</summary>
    public ActivityContext Parent { get; } = Activity.Current?.Context ?? default;

    /// <summary>Set by the loop; answered when the batch is on the disk.</summary>
    public StepResult? Result { get; set; }

    public Exception? Fault { get; set; }

    public Task<StepResult> Done => _done?.Task ?? throw new InvalidOperationException("Nobody waits for this input.");

    public void Answer()
    {
        if (Fault is not null)
        {
            _done?.TrySetException(Fault);
        }
        else
        {
            _done?.TrySetResult(Result!);
        }
    }
}

/// <summary>
/// What waits for the loop, in two lanes: facts (what has happened: worker frames, placements, terminations) go before submits (what
/// somebody wishes). Both are bounded, so overload is felt by callers and not stored.
/// </summary>
internal sealed class Inbox : IDisposable
{
    private const int SubmitRoom = 4096;
    private const int FactRoom = 8192;

    private readonly ConcurrentQueue<Envelope> _facts = new();
    private readonly ConcurrentQueue<Envelope> _submits = new();
    private readonly SemaphoreSlim _factRoom = new(FactRoom, FactRoom);
    private readonly SemaphoreSlim _submitRoom = new(SubmitRoom, SubmitRoom);
    private readonly AutoResetEvent _wake = new(initialState: false);
    private int _asleep;

    public bool HasFacts => !_facts.IsEmpty;

    public ValueTask PutFactAsync(Envelope envelope, CancellationToken cancellationToken) => PutAsync(_facts, _factRoom, envelope, cancellationToken);

    public ValueTask PutSubmitAsync(Envelope envelope, CancellationToken cancellationToken) => PutAsync(_submits, _submitRoom, envelope, cancellationToken);

    public bool TryTakeFact([NotNullWhen(true)] out Envelope? envelope) => TryTake(_facts, _factRoom, out envelope);

    public bool TryTakeSubmit([NotNullWhen(true)] out Envelope? envelope) => TryTake(_submits, _submitRoom, out envelope);

    /// <summary>Waits until something is here, <see cref="Wake"/> is called, or the time is over. Only for the loop's thread.</summary>
    public void Wait(TimeSpan atMost)
    {
        Interlocked.Exchange(ref _asleep, 1);
        if (_facts.IsEmpty && _submits.IsEmpty && atMost > TimeSpan.Zero)
        {
            _wake.WaitOne(atMost);
        }

        Volatile.Write(ref _asleep, 0);
    }

    public void Wake()
    {
        // The loop is woken only when it sleeps: under load, nobody pays for it.
        if (Interlocked.Exchange(ref _asleep, 0) == 1)
        {
            _wake.Set();
        }
    }

    public void Dispose()
    {
        _wake.Dispose();
        _factRoom.Dispose();
        _submitRoom.Dispose();
    }

    private static bool TryTake(ConcurrentQueue<Envelope> lane, SemaphoreSlim room, [NotNullWhen(true)] out Envelope? envelope)
    {
        if (!lane.TryDequeue(out envelope))
        {
            return false;
        }

        room.Release();
        return true;
    }

    private async ValueTask PutAsync(ConcurrentQueue<Envelope> lane, SemaphoreSlim room, Envelope envelope, CancellationToken cancellationToken)
    {
        await room.WaitAsync(cancellationToken);
        lane.Enqueue(envelope);
        Wake();
    }
}
