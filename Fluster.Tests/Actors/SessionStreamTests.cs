using Fluster.Actors;

namespace Fluster.Tests;

/// <summary>Methods that return streams: items in order, never far ahead of their reader, and nobody else waits for a slow one.</summary>
public sealed class SessionStreamTests : IAsyncLifetime, IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly Counter _actor = new();
    private readonly ActorServer _server = new(new ActorServerOptions { Announcements = TextWriter.Null });
    private ActorClient<ICounter> _client = null!;

    public interface ICounter
    {
        IAsyncEnumerable<int> Count(int to);

        IAsyncEnumerable<byte[]> Blocks(int count, int size);

        IAsyncEnumerable<int> Fail(int after);

        Task<int> Add(int a, int b);

        Task<int> Length(byte[] bytes);
    }

    public async Task InitializeAsync()
    {
        _server.Register("counter", _actor);
        await _server.StartAsync();
        _client = new ActorClient<ICounter>(_server.Address.ToString(), token: _server.Token);
    }

    public async Task DisposeAsync() => await _server.DisposeAsync();

    public void Dispose() => _client.Dispose();

    [Fact]
    public async Task Stream_Read_HasAllItemsInOrder()
    {
        var items = new List<int>();
        await foreach (var item in _client.Actor.Count(1_000))
        {
            items.Add(item);
        }

        Assert.Equal(Enumerable.Range(0, 1_000), items);
        Assert.Equal(1, _actor.Ended);
    }

    [Fact]
    public async Task Stream_OfLargeBlocks_ArrivesAsItWasSent()
    {
        var number = 0;
        await foreach (var block in _client.Actor.Blocks(9, 700_000))
        {
            Assert.Equal(Counter.Block(number++, 700_000), block);
        }

        Assert.Equal(9, number);
    }

    [Fact]
    public async Task Stream_NobodyReadsOn_SenderStopsAfterTheWindow_AndOthersGoOn()
    {
        var stream = _client.Actor.Count(100_000).GetAsyncEnumerator();
        Assert.True(await stream.MoveNextAsync());

        // The same actor, one call at a time, over the same session.
        for (var i = 0; i < 100; i++)
        {
            Assert.Equal(i + 1, await _client.Actor.Add(i, 1).WaitAsync(s_patience));
        }

        Assert.InRange(_actor.Made, 1, 2 * ItemReceiver.MostItems);
        await stream.DisposeAsync();
        await Eventually.True(() => _actor.Ended == 1, "The stream goes on though nobody reads it.");
    }

    /// <summary>The window counts bytes, too: 1 MiB.</summary>
    [Fact]
    public async Task Stream_OfLargeItemsThatNobodyReads_SenderStopsAfterAMebibyte()
    {
        var stream = _client.Actor.Blocks(1_000, 300_000).GetAsyncEnumerator();
        Assert.True(await stream.MoveNextAsync());
        Assert.Equal(3, await _client.Actor.Add(1, 2).WaitAsync(s_patience)); // the stream has left the actor, for want of room

        Assert.InRange(_actor.Made, 1, 10); // 32 items would be 9.6 MB
        await stream.DisposeAsync();
    }

    [Fact]
    public async Task Stream_LeftEarly_EndsOverThere()
    {
        await foreach (var item in _client.Actor.Count(1_000_000))
        {
            if (item == 40)
            {
                break;
            }
        }

        await Eventually.True(() => _actor.Ended == 1, "The stream goes on though nobody reads it.");
        Assert.Equal(3, await _client.Actor.Add(1, 2).WaitAsync(s_patience));
    }

    [Fact]
    public async Task Stream_Throws_ItemsComeFirstAndThenTheException()
    {
        var items = new List<int>();
        var exception = await Assert.ThrowsAsync<InvalidOperationException>(async () =>
        {
            await foreach (var item in _client.Actor.Fail(5))
            {
                items.Add(item);
            }
        });

        Assert.Equal([0, 1, 2, 3, 4], items);
        Assert.Equal("no more", exception.Message);
    }

    [Fact]
    public async Task Stream_ReadingIsCancelled_EndsHereAndThere()
    {
        using var cancel = new CancellationTokenSource();
        var items = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var _ in _client.Actor.Count(1_000_000).WithCancellation(cancel.Token))
            {
                if (++items == 10)
                {
                    await cancel.CancelAsync();
                }
            }
        });

        await Eventually.True(() => _actor.Ended == 1, "The stream goes on though nobody reads it.");
    }

    /// <summary>A long argument travels in frames, between which others have their turn.</summary>
    [Fact]
    public async Task LongArgument_UnderWay_OtherCallsArePassedBetween()
    {
        var order = new List<string>();
        var bytes = new byte[48 << 20];
        var longCall = RecordAsync(_client.Actor.Length(bytes), "long");
        var quick = RecordAsync(_client.Actor.Add(1, 2), "quick");

        await Task.WhenAll(longCall, quick).WaitAsync(s_patience);

        Assert.Equal(["quick", "long"], order);

        async Task RecordAsync(Task call, string name)
        {
            await call;
            lock (order)
            {
                order.Add(name);
            }
        }
    }

    private sealed class Counter : ICounter
    {
        private int _made;
        private int _ended;

        public int Made => Volatile.Read(ref _made);

        public int Ended => Volatile.Read(ref _ended);

        public async IAsyncEnumerable<int> Count(int to)
        {
            try
            {
                for (var i = 0; i < to; i++)
                {
                    Interlocked.Increment(ref _made);
                    yield return i;
                    await Task.CompletedTask;
                }
            }
            finally
            {
                Interlocked.Increment(ref _ended);
            }
        }

        public async IAsyncEnumerable<byte[]> Blocks(int count, int size)
        {
            for (var i = 0; i < count; i++)
            {
                await Task.Yield();
                Interlocked.Increment(ref _made);
                yield return Block(i, size);
            }
        }

        public async IAsyncEnumerable<int> Fail(int after)
        {
            for (var i = 0; i < after; i++)
            {
                await Task.Yield();
                yield return i;
            }

            throw new InvalidOperationException("no more");
        }

        public Task<int> Add(int a, int b) => Task.FromResult(a + b);

        public Task<int> Length(byte[] bytes) => Task.FromResult(bytes.Length);

        public static byte[] Block(int number, int size)
        {
            var block = new byte[size];
            Array.Fill(block, (byte)(number + 1));
            return block;
        }
    }
}
