using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>Lets one call at a time into an actor, in the order of their arrival, in the context of the job that serves it.</summary>
internal sealed class ActorMailbox : IDisposable
{
    /// <summary>Calls that may wait. Past it callers are refused at once: overload is felt, not stored.</summary>
    private const int Capacity = 1000;

    private readonly SemaphoreSlim _turn = new(1, 1); // asynchronous waiters are let in first come, first served
    private int _calls;

    /// <summary>Waits for the turn and makes the call. A call that is cancelled, or past its deadline, while it waits never starts.</summary>
    /// <exception cref="MailboxFullException">Too many calls wait already.</exception>
    public async Task<string> RunAsync(Func<Task<string>> call, FlusterContext? context, CancellationToken cancellationToken)
    {
        try
        {
            if (Interlocked.Increment(ref _calls) > Capacity + 1)
            {
                throw new MailboxFullException($"{Capacity} calls wait for this actor already.");
            }

            await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            Interlocked.Decrement(ref _calls);
            throw;
        }

        try
        {
            cancellationToken.ThrowIfCancellationRequested();

            // The caller's connection knows nothing of the job that serves: its context is entered by hand.
            using var scope = context?.Enter();
            return await call().ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
            Interlocked.Decrement(ref _calls);
        }
    }

    public void Dispose() => _turn.Dispose();
}

/// <summary>Too many calls wait for an actor.</summary>
internal sealed class MailboxFullException(string message) : Exception(message);
