using System.Runtime.CompilerServices;
using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>One method over many items.</summary>
internal sealed class PoolMap<TItem, TResult>
{
    private readonly PoolDispatcher _dispatcher;
    private readonly Delegate _method;
    private readonly WorkFunction _function;
    private readonly string _display;

    public PoolMap(PoolDispatcher dispatcher, Delegate method)
    {
        ArgumentNullException.ThrowIfNull(method);
        _dispatcher = dispatcher;
        _method = method;
        _display = MethodDisplay.Of(method.Method);
        _function = dispatcher.NewFunction(InvocationWriter.WriteOpen(method));
    }

    public async Task<IReadOnlyList<TResult>> RunAsync(IEnumerable<TItem> items, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(items);
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            var work = items.Select(NewItem).ToList();
            _dispatcher.Enqueue(work);
            await using (PoolMap.GiveUpWith(work, cancellationToken).ConfigureAwait(false))
            {
                return await Task.WhenAll(work.Select(item => item.Result)).ConfigureAwait(false);
            }
        }
        finally
        {
            _dispatcher.Forget(_function);
        }
    }

    public async IAsyncEnumerable<TResult> StreamAsync(IAsyncEnumerable<TItem> items, int mostUnderWay, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(items);
        var underWay = new Queue<WorkItem<TResult>>();
        try
        {
            await foreach (var value in items.WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                var item = NewItem(value);
                _dispatcher.Enqueue([item]);
                underWay.Enqueue(item);

                // Those that are there already, and one more when there is no room.
                while (underWay.TryPeek(out var first) && (first.Result.IsCompleted || underWay.Count >= mostUnderWay))
                {
                    var result = await first.Result.WaitAsync(cancellationToken).ConfigureAwait(false);
                    underWay.Dequeue();
                    yield return result;
                }
            }

            while (underWay.TryPeek(out var first))
            {
                var result = await first.Result.WaitAsync(cancellationToken).ConfigureAwait(false);
                underWay.Dequeue();
                yield return result;
            }
        }
        finally
        {
            foreach (var item in underWay)
            {
                item.Cancel(CancellationToken.None);
            }

            _dispatcher.Forget(_function);
        }
    }

    private WorkItem<TResult> NewItem(TItem value) => new() { Function = _function, Payload = InvocationWriter.WriteLast(_method, value), Display = _display };
}

/// <summary>Items that somebody waits for.</summary>
internal static class PoolMap
{
    /// <summary>The result of an item, which is given up when the token is cancelled.</summary>
    public static async Task<TResult> WaitAsync<TResult>(WorkItem<TResult> item, CancellationToken cancellationToken)
    {
        await using (GiveUpWith([item], cancellationToken).ConfigureAwait(false))
        {
            return await item.Result.ConfigureAwait(false);
        }
    }

    public static CancellationTokenRegistration GiveUpWith(IReadOnlyCollection<WorkItem> items, CancellationToken cancellationToken) => cancellationToken.UnsafeRegister(
        static (state, token) =>
        {
            foreach (var item in (IReadOnlyCollection<WorkItem>)state!)
            {
                item.Cancel(token);
            }
        },
        items);
}
