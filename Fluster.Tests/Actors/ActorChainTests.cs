using System.Diagnostics;
using Fluster.Actors;
using Xunit.Abstractions;

namespace Fluster.Tests;

/// <summary>Actors that call actors: deadlines, chains and locks.</summary>
public sealed class ActorChainTests(ITestOutputHelper output) : IAsyncLifetime, IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly ActorServer _server = new(new ActorServerOptions { Announcements = TextWriter.Null });
    private readonly List<IDisposable> _clients = [];

    public interface ILink
    {
        Task<string> Pass(string path);

        Task<int> Work(int spinMilliseconds, long deadline);

        Task Hold(int milliseconds);
    }

    public Task InitializeAsync() => _server.StartAsync();

    public async Task DisposeAsync() => await _server.DisposeAsync();

    public void Dispose() => _clients.ForEach(client => client.Dispose());

    [Fact]
    public async Task Chain_OfThreeUnderOverload_NoMethodStartsAfterItsDeadline()
    {
        var (a, b, c) = (new Link(this, "a", "b"), new Link(this, "b", "c"), new Link(this, "c", null));
        var (done, late) = (0, 0);
        var deadline = TimeSpan.FromMilliseconds(50);
        using var client = Client("a", new ActorCallOptions { Timeout = deadline });
        await Task.WhenAll(Enumerable.Range(0, 24).Select(_ => Task.Run(async () =>
        {
            for (var i = 0; i < TestScale.Of(20, 200); i++)
            {
                var end = Stopwatch.GetTimestamp() + (long)(deadline.TotalSeconds * Stopwatch.Frequency);
                try
                {
                    await client.Actor.Work(2, end);
                    Interlocked.Increment(ref done);
                }
                catch (TimeoutException)
                {
                    Interlocked.Increment(ref late);
                }
            }
        })));

        output.WriteLine($"Figures: {done} in time, {late} not, {a.Starts}/{b.Starts}/{c.Starts} methods began, {a.LateStarts + b.LateStarts + c.LateStarts} seen later than {Link.Slack.TotalMilliseconds} ms after their deadline");
        Assert.True(late > 0, "There was no overload.");
        Assert.True(done > 0, "Nothing came through.");

        // Without the look at the deadline most would be late; the few that may be were stopped by the system between the look and their first line.
        Assert.InRange(a.LateStarts + b.LateStarts + c.LateStarts, 0, (a.Starts + b.Starts + c.Starts) / 20);
    }

    [Fact]
    public async Task Chain_ThatComesBack_FailsAtOnceAndNamesTheCalls()
    {
        _ = new Link(this, "a", "b");
        _ = new Link(this, "b", "a");
        using var client = Client("a");
        var since = Stopwatch.GetTimestamp();

        var exception = await Assert.ThrowsAnyAsync<Exception>(() => client.Actor.Pass("start"));

        Assert.Contains("a.Pass -> b.Pass -> a.Pass", exception.Message, StringComparison.Ordinal);
        Assert.InRange(Stopwatch.GetElapsedTime(since).TotalSeconds, 0, 10); // the timeout is 30 s
    }

    [Fact]
    public async Task Chain_ThatComesBackToAReentrantActor_Enters()
    {
        _ = new Link(this, "a", "b", new ActorOptions { Reentrant = true });
        _ = new Link(this, "b", "a");
        using var client = Client("a");

        Assert.Equal("start a b a!", await client.Actor.Pass("start").WaitAsync(s_patience));
    }

    /// <summary>Only a call that still holds the actor is one that its own nested call would wait for.</summary>
    [Fact]
    public async Task Chain_ThatComesBackWhenItsFirstCallHasEnded_Enters()
    {
        var (starter, go) = (new Starter(this), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        _server.Register("starter", starter);
        _server.Register("returner", new Returner(this, go.Task));
        using var client = new ActorClient<IStarter>(_server.Address.ToString(), "starter", _server.Token);

        await client.Actor.Start();
        go.SetResult();

        Assert.Equal("back", await starter.Started!.WaitAsync(s_patience));
    }

    /// <summary>What a call has before its arguments: on one machine the sender's deadline itself, else the time that is left.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Head_OfACall_CarriesItsDeadlineAndItsChain(bool sameMachine)
    {
        var chain = Enumerable.Range(0, CallScope.MostEntries).Select(number => new ChainEntry(Guid.NewGuid(), number, $"actor-{number}.Method")).ToArray();
        var call = new PendingCall(new ActorMethodShape("Method")) { Deadline = CallScope.After(TimeSpan.FromSeconds(100)), Chain = chain };
        var late = new PendingCall(new ActorMethodShape("Method")) { Deadline = 1 };

        var head = CallHead.Read(CallHead.Write(default, 7, call, sameMachine), out _);
        var lateHead = CallHead.Read(CallHead.Write(default, 7, late, sameMachine), out _);
        var without = CallHead.Read(CallHead.Write(default, 7, new PendingCall(new ActorMethodShape("Method")), sameMachine), out _);

        Assert.Equal(chain, head.Chain);
        Assert.InRange((head.Deadline - call.Deadline) / (double)Stopwatch.Frequency, sameMachine ? 0 : -0.001, sameMachine ? 0 : 10); // from the moment when it was read
        Assert.True(lateHead.Deadline != 0 && lateHead.Deadline <= Stopwatch.GetTimestamp());
        Assert.Equal((7, 0L), (without.Definition, without.Deadline));
    }

    [Fact]
    public void Head_WithALongerChain_IsRefused()
    {
        var chain = Enumerable.Range(0, CallScope.MostEntries + 1).Select(number => new ChainEntry(Guid.NewGuid(), number, "a.M")).ToArray();
        var head = CallHead.Write(default, 7, new PendingCall(new ActorMethodShape("Method")) { Chain = chain }, sameMachine: true).ToArray();

        var error = Assert.Throws<SessionProtocolException>(() => CallHead.Read(head, out _));

        Assert.Equal("A call comes from 65 others: 64 is the most.", error.Message);
    }

    [Fact]
    public async Task Chains_ThatWaitForEachOther_EndByDeadlineAndNameTheHolder()
    {
        var both = new Barrier2();
        _ = new Link(this, "a", "b", meet: both);
        _ = new Link(this, "b", "a", meet: both);
        using var first = Client("a", new ActorCallOptions { Timeout = TimeSpan.FromSeconds(1) });
        using var second = Client("b", new ActorCallOptions { Timeout = TimeSpan.FromSeconds(1) });

        var calls = new[] { first.Actor.Pass("x"), second.Actor.Pass("y") };
        var ends = await Task.WhenAll(calls.Select(async call => await Assert.ThrowsAnyAsync<Exception>(() => call.WaitAsync(s_patience))));

        Assert.Contains(ends, end => end.Message.Contains("The actor is held by a.Pass", StringComparison.Ordinal) || end.Message.Contains("The actor is held by b.Pass", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Call_ExpiresWhileItWaits_NamesTheHolder()
    {
        _ = new Link(this, "a", next: null);
        using var holder = Client("a");
        using var hasty = Client("a", new ActorCallOptions { Timeout = TimeSpan.FromMilliseconds(300) });
        var held = holder.Actor.Hold(2_000); // over the same connection as the next call, and before it
        var late = await Assert.ThrowsAsync<TimeoutException>(() => hasty.Actor.Pass("x"));

        Assert.Contains("The actor is held by a.Hold", late.Message, StringComparison.Ordinal);
        await held;
    }

    private ActorClient<ILink> Client(string actor, ActorCallOptions? options = null)
    {
        var client = new ActorClient<ILink>(_server.Address.ToString(), actor, _server.Token, options);
        _clients.Add(client);
        return client;
    }

    public interface IStarter
    {
        Task Start();

        Task<string> Back();
    }

    public interface IReturner
    {
        Task<string> Return();
    }

    private sealed class Starter(ActorChainTests test) : IStarter
    {
        public Task<string>? Started { get; private set; }

        /// <summary>Does not wait for what it calls.</summary>
        public Task Start()
        {
            var client = new ActorClient<IReturner>(test._server.Address.ToString(), "returner", test._server.Token);
            test._clients.Add(client);
            Started = client.Actor.Return();
            return Task.CompletedTask;
        }

        public Task<string> Back() => Task.FromResult("back");
    }

    private sealed class Returner(ActorChainTests test, Task go) : IReturner
    {
        public async Task<string> Return()
        {
            await go;
            using var client = new ActorClient<IStarter>(test._server.Address.ToString(), "starter", test._server.Token);
            return await client.Actor.Back();
        }
    }

    private sealed class Link : ILink
    {
        /// <summary>Between the look at the deadline and the first line of the method this thread may lose the processor.</summary>
        public static readonly TimeSpan Slack = TimeSpan.FromMilliseconds(25);

        private readonly ActorClient<ILink>? _next;
        private readonly string _name;
        private readonly Barrier2? _meet;
        private int _passes;

        public Link(ActorChainTests test, string name, string? next, ActorOptions? options = null, Barrier2? meet = null)
        {
            _name = name;
            _meet = meet;
            _next = next is null ? null : test.Client(next);
            test._server.Register(name, this, options);
        }

        public int Starts { get; private set; }

        public int LateStarts { get; private set; }

        public async Task<string> Pass(string path)
        {
            if (_meet is not null)
            {
                await _meet.ArriveAsync();
            }

            return ++_passes == 2 && _name == "a" ? $"{path} a!" : await _next!.Actor.Pass($"{path} {_name}");
        }

        public async Task<int> Work(int spinMilliseconds, long deadline)
        {
            var now = Stopwatch.GetTimestamp();
            Starts++;
            if (now > deadline + (long)(Slack.TotalSeconds * Stopwatch.Frequency))
            {
                LateStarts++;
            }

            while (Stopwatch.GetElapsedTime(now).TotalMilliseconds < spinMilliseconds)
            {
                Thread.SpinWait(100);
            }

            return _next is null ? 1 : 1 + await _next.Actor.Work(spinMilliseconds, deadline);
        }

        public Task Hold(int milliseconds) => Task.Delay(TimeSpan.FromMilliseconds(milliseconds), TimeProvider.System);
    }

    /// <summary>Both have to be there before either goes on.</summary>
    private sealed class Barrier2
    {
        private readonly TaskCompletionSource _both = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _here;

        public Task ArriveAsync()
        {
            if (Interlocked.Increment(ref _here) == 2)
            {
                _both.SetResult();
            }

            return _both.Task;
        }
    }
}
