using System.Threading.Channels;

namespace Fluster.Actors;

/// <summary>
/// The connection of a pool to one of its workers, for as long as that worker's endpoint is there: brings it items, fetches results. When a
/// call fails, what the worker had is lost to the pool, which gives it elsewhere, and the connection begins anew.
/// </summary>
internal sealed class PoolLink : IDisposable
{
    /// <summary>The most bytes that one message brings, unless a single item has more.</summary>
    private const int MostBytes = 1 << 20;

    private static readonly ActorMethodShape s_push = new(nameof(PoolWorker.Push), "pool", "batch");
    private static readonly ActorMethodShape s_next = new(nameof(PoolWorker.Next), "pool");
    private static readonly ActorMethodShape s_takeBack = new(nameof(PoolWorker.TakeBack), "pool");
    private static readonly ActorCallOptions s_calls = new() { Timeout = TimeSpan.FromSeconds(60) };

    private readonly PoolDispatcher _pool;
    private readonly FixedRoute _route;
    private readonly ActorInvoker _invoker;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _gone = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public PoolLink(PoolDispatcher pool, string name, ResolvedEndpoint endpoint, Func<string?> token, TimeProvider time)
    {
        _pool = pool;
        _time = time;
        Name = name;
        Endpoint = endpoint;
        _route = new FixedRoute(name, endpoint, token, ActorConnections.Shared);
        _invoker = new ActorInvoker(_route, s_calls);
    }

    /// <summary>The worker's name.</summary>
    public string Name { get; }

    public ResolvedEndpoint Endpoint { get; }

    /// <summary>Keeps the connection until the endpoint is gone.</summary>
    public async Task RunAsync()
    {
        var backOff = TimeSpan.FromMilliseconds(100);
        while (!_stop.IsCancellationRequested)
        {
            var session = new Session(this, Guid.NewGuid());
            var start = _time.GetTimestamp();
            Exception? cause = null;
            try
            {
                await session.RunAsync().ConfigureAwait(false);
            }
#pragma warning disable CA1031 // Whatever happened on the way: the worker cannot be used over this connection.
            catch (Exception exception)
#pragma warning restore CA1031
            {
                cause = exception;
            }

            _pool.Lost(session, _stop.IsCancellationRequested ? null : cause);
            if (_time.GetElapsedTime(start) > TimeSpan.FromSeconds(10))
            {
                backOff = TimeSpan.FromMilliseconds(100);
            }

            await Task.Delay(backOff, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            backOff = backOff * 2 < TimeSpan.FromSeconds(2) ? backOff * 2 : TimeSpan.FromSeconds(2);
        }
    }

    /// <summary>The endpoint is gone: what is under way ends now.</summary>
    public void Dispose()
    {
        _stop.Cancel();
        _gone.TrySetResult();
        _route.Retire();
    }

    /// <summary>One connection that has not failed yet.</summary>
    internal sealed class Session(PoolLink link, Guid id)
    {
        private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, AllowSynchronousContinuations = false });
        private readonly WorkBatch _batch = new();
        private volatile bool _asksBack;

        public string Name => link.Name;

        public WorkerLoad Load { get; } = new();

        /// <summary>Methods that the worker knows.</summary>
        public HashSet<int> Functions { get; } = [];

        /// <summary>Methods that it need not know any more.</summary>
        public Queue<int> Forgotten { get; } = new();

        /// <summary>There is something to send.</summary>
        public void Wake() => _wake.Writer.TryWrite(true);

        /// <summary>Items wait behind one that takes long: those that it has not begun are asked back.</summary>
        public void AskBack()
        {
            _asksBack = true;
            Wake();
        }

        public async Task RunAsync()
        {
            await PushAsync([]).ConfigureAwait(false); // whether it is there
            link._pool.Joined(this);
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(link._stop.Token);
            Task[] loops = [SendAsync(ended.Token), ReceiveAsync(ended.Token)];
            var first = await Task.WhenAny([link._gone.Task, .. loops]).ConfigureAwait(false);
            await ended.CancelAsync().ConfigureAwait(false);
            foreach (var loop in loops)
            {
                _ = loop.ContinueWith(static task => task.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }

            await first.ConfigureAwait(false);
        }

        private async Task SendAsync(CancellationToken cancellationToken)
        {
            while (await _wake.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
            {
                _wake.Reader.TryRead(out _);
                while (link._pool.Fill(this, _batch, MostBytes))
                {
                    await PushAsync(_batch.ToArray()).ConfigureAwait(false);
                }

                if (_asksBack)
                {
                    _asksBack = false;
                    await TakeBackAsync().ConfigureAwait(false);
                }
            }
        }

        private async Task ReceiveAsync(CancellationToken cancellationToken)
        {
            while (!cancellationToken.IsCancellationRequested)
            {
                var call = link._invoker.Begin(s_next);
                call.Write(id, ActorCodec.For<Guid>());
                var results = await link._invoker.SendAsync(call, ActorCodec.For<byte[]>(), CancellationToken.None).ConfigureAwait(false);
                link._pool.TakeIn(this, results);
            }
        }

        private Task PushAsync(byte[] batch)
        {
            var call = link._invoker.Begin(s_push);
            call.Write(id, ActorCodec.For<Guid>());
            call.Write(batch, ActorCodec.For<byte[]>());
            return link._invoker.SendAsync(call, CancellationToken.None);
        }

        private Task TakeBackAsync()
        {
            var call = link._invoker.Begin(s_takeBack);
            call.Write(id, ActorCodec.For<Guid>());
            return link._invoker.SendAsync(call, CancellationToken.None);
        }
    }
}
