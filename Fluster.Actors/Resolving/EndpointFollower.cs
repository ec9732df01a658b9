using System.Diagnostics;
using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>Follows endpoints for as long as it is wanted, whatever becomes of a single watch.</summary>
internal sealed class EndpointFollower<T> : IDisposable
{
    private static readonly TimeSpan s_firstBackOff = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_longestBackOff = TimeSpan.FromSeconds(2);

    private readonly Func<CancellationToken, IAsyncEnumerable<T>> _watch;
    private readonly Action<T> _observe;
    private readonly Action<Exception> _fail;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();

    private EndpointFollower(Func<CancellationToken, IAsyncEnumerable<T>> watch, Action<T> observe, Action<Exception> fail, TimeProvider time)
    {
        _watch = watch;
        _observe = observe;
        _fail = fail;
        _time = time;
    }

    /// <param name="watch">Begins to watch.</param>
    /// <param name="observe">Takes in what there is; never called twice at a time.</param>
    /// <param name="fail">Takes in why there is nothing new; it is tried again.</param>
    /// <param name="time">The clock.</param>
    public static EndpointFollower<T> Start(Func<CancellationToken, IAsyncEnumerable<T>> watch, Action<T> observe, Action<Exception> fail, TimeProvider time)
    {
        var follower = new EndpointFollower<T>(watch, observe, fail, time);
        _ = Detached.Run(follower.RunAsync);
        return follower;
    }

    public void Dispose() => _stop.Cancel(); // not disposed: the watch may still look at it

    private async Task RunAsync()
    {
        var backOff = s_firstBackOff;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await foreach (var result in _watch(_stop.Token).ConfigureAwait(false))
                {
                    backOff = s_firstBackOff;
                    _observe(result);
                }
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // A resolver of the user's may throw anything; who waits for its answer is told.
            catch (Exception exception)
#pragma warning restore CA1031
            {
                Debug.WriteLine(exception);
                _fail(exception);
            }

            await Task.Delay(backOff, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            backOff = backOff * 2 < s_longestBackOff ? backOff * 2 : s_longestBackOff;
        }
    }
}
