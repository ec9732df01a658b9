using System.Runtime.CompilerServices;

namespace Fluster.Actors;

/// <summary>A call that was made of all members of a pool, and what becomes of it at each. Not waiting for some of them ends none. Source: seed 001, stage 5.</summary>
/// <typeparam name="TResult">What the method returns.</typeparam>
public sealed class Broadcast<TResult>
{
    private readonly IReadOnlyList<(ResolvedEndpoint Endpoint, Task<CallResult<TResult>> Result)> _calls;

    internal Broadcast(IReadOnlyList<(ResolvedEndpoint Endpoint, Task<TResult> Call)> calls) =>
        _calls = [.. calls.Select(call => (call.Endpoint, ResultAsync(call.Endpoint, call.Call)))];

    /// <summary>Whom it went to.</summary>
    public IReadOnlyList<ResolvedEndpoint> Endpoints => [.. _calls.Select(call => call.Endpoint)];

    /// <summary>One result for each member, in their order, once all have ended. Empty when there was no member.</summary>
    /// <param name="timeout">
    /// The longest wait for all of them together; who has not ended then has a <see cref="TimeoutException"/> as its result. Default: as long as the
    /// calls take, which have a timeout of their own.
    /// </param>
    /// <param name="cancellationToken">Stops the wait, not the calls.</param>
    public async Task<IReadOnlyList<CallResult<TResult>>> WaitAllAsync(TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        var all = Task.WhenAll(_calls.Select(call => call.Result));
        try
        {
            return await all.WaitAsync(timeout ?? Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException exception) when (timeout is { } longest)
        {
            return [.. _calls.Select(call => call.Result.IsCompleted
                ? call.Result.GetAwaiter().GetResult()
                : new CallResult<TResult>(call.Endpoint, default, new TimeoutException($"{call.Endpoint.Address} has not answered within {longest.TotalSeconds:0.###} s.", exception)))];
        }
    }

    /// <summary>The result of the member that ends first, whatever it is.</summary>
    /// <param name="timeout">The longest wait. Default: as long as the call takes.</param>
    /// <param name="cancellationToken">Stops the wait, not the calls.</param>
    /// <exception cref="InvalidOperationException">There was no member.</exception>
    /// <exception cref="TimeoutException">None has ended within the time.</exception>
    public async Task<CallResult<TResult>> WaitAnyAsync(TimeSpan? timeout = null, CancellationToken cancellationToken = default) => _calls.Count == 0
        ? throw new InvalidOperationException("The call was made of nobody: the pool was empty.")
        : (await WaitForAsync(1, timeout, cancellationToken).ConfigureAwait(false))[0];

    /// <summary>The results of as many members as are asked for: those that end first, in the order in which they end.</summary>
    /// <param name="count">How many.</param>
    /// <param name="timeout">The longest wait for all of them together. Default: as long as the calls take.</param>
    /// <param name="cancellationToken">Stops the wait, not the calls.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are not so many members.</exception>
    /// <exception cref="TimeoutException">Fewer have ended within the time.</exception>
    public async Task<IReadOnlyList<CallResult<TResult>>> WaitForAsync(int count, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        if (count > _calls.Count)
        {
            throw new ArgumentOutOfRangeException(nameof(count), count, $"The call was made of {_calls.Count} members.");
        }

        var results = new List<CallResult<TResult>>(count);
        if (count == 0)
        {
            return results;
        }

        await foreach (var result in AsCompletedAsync(timeout, cancellationToken).ConfigureAwait(false))
        {
            results.Add(result);
            if (results.Count == count)
            {
                break;
            }
        }

        return results;
    }

    /// <summary>The results in the order in which the members end.</summary>
    /// <param name="timeout">The longest wait for all of them together. Default: as long as the calls take.</param>
    /// <param name="cancellationToken">Stops the wait, not the calls.</param>
    /// <exception cref="TimeoutException">Some have not ended within the time; thrown after the results of those that have.</exception>
    public async IAsyncEnumerable<CallResult<TResult>> AsCompletedAsync(TimeSpan? timeout = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var late = new CancellationTokenSource(timeout ?? Timeout.InfiniteTimeSpan, TimeProvider.System);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        var ended = Task.WhenEach(_calls.Select(call => call.Result)).GetAsyncEnumerator(stop.Token);
        await using (ended.ConfigureAwait(false))
        {
            for (var count = 0; count < _calls.Count; count++)
            {
                try
                {
                    await ended.MoveNextAsync().ConfigureAwait(false);
                }
                catch (OperationCanceledException exception) when (late.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
                {
                    throw new TimeoutException($"{count} of {_calls.Count} members have answered within {timeout!.Value.TotalSeconds:0.###} s.", exception);
                }

                yield return await ended.Current.ConfigureAwait(false);
            }
        }
    }

    private static async Task<CallResult<TResult>> ResultAsync(ResolvedEndpoint endpoint, Task<TResult> call)
    {
        try
        {
            return new CallResult<TResult>(endpoint, await call.ConfigureAwait(false), null);
        }
#pragma warning disable CA1031 // Whatever the call threw is its result.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            return new CallResult<TResult>(endpoint, default, exception);
        }
    }
}
