using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Fluster.Tests;

/// <summary>What resources print is kept, bounded, and can be watched.</summary>
public class ResourceLogTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Watch_LinesBeforeAndAfter_ComeInOrderUntilComplete()
    {
        using var logs = new ResourceLoggerService((_, _, _) => { });
        logs.Append("api", "one", isError: false);
        await using var watch = logs.WatchAsync("api").GetAsyncEnumerator();
        Assert.True(await watch.MoveNextAsync().AsTask().WaitAsync(s_limit));
        Assert.Equal([new LogLine(1, "one", false)], watch.Current);

        logs.GetLogger("api").Log(LogLevel.Error, default, "two", exception: null, (text, _) => text);
        Assert.True(await watch.MoveNextAsync().AsTask().WaitAsync(s_limit));
        Assert.Equal([new LogLine(2, "two", true)], watch.Current);

        logs.Complete("api");
        Assert.False(await watch.MoveNextAsync().AsTask().WaitAsync(s_limit));
    }

    [Fact]
    public async Task Append_MoreThanAreKept_TheNewestStay()
    {
        using var logs = new ResourceLoggerService((_, _, _) => { });
        for (var i = 0; i < 10_005; i++)
        {
            logs.Append("api", $"line {i}", isError: false);
        }

        var lines = (await logs.GetAllAsync("api").ToListAsync()).SelectMany(batch => batch).ToList();
        Assert.Equal((10_000, "line 5", "line 10004"), (lines.Count, lines[0].Content, lines[^1].Content));

        logs.ClearBacklog("api");
        Assert.Empty((await logs.GetAllAsync("api").ToListAsync()).SelectMany(batch => batch));
    }

    [Fact]
    public async Task WatchAnySubscribers_FirstComesAndLastGoes_SaysSo()
    {
        using var logs = new ResourceLoggerService((_, _, _) => { });
        await using var changes = logs.WatchAnySubscribersAsync().GetAsyncEnumerator();
        var change = changes.MoveNextAsync().AsTask();
        logs.Append("api", "one", isError: false);
        await using (var first = logs.WatchAsync("api").GetAsyncEnumerator())
        {
            await first.MoveNextAsync();
            Assert.True(await change.WaitAsync(s_limit));
            Assert.Equal(new LogSubscriber("api", AnySubscribers: true), changes.Current);
            change = changes.MoveNextAsync().AsTask();
            await using var second = logs.WatchAsync("API").GetAsyncEnumerator();
            await second.MoveNextAsync();
        }

        Assert.True(await change.WaitAsync(s_limit));
        Assert.Equal(new LogSubscriber("api", AnySubscribers: false), changes.Current);
    }

    [Fact]
    public async Task Resources_ThatPrint_AreInTheLogWithAllTheirProcesses()
    {
        await using var app = TestApplication.WithOwnPorts();
        app.AddScript("script", "echo out; echo err >&2");
        app.Builder.AddProject("service", Path.Combine(Repository.Root, "Fluster.Tests", "Programs", "ProbeService", "ProbeService.csproj")).WithReplicas(2);
        await app.StartAsync();

        await app.OutputAsync("script");
        var logs = app.Running.Services.GetRequiredService<ResourceLoggerService>();
        var script = app.Builder.Resources.Single(resource => resource.Name == "script");
        var lines = (await logs.GetAllAsync(script).ToListAsync()).SelectMany(batch => batch).ToList();
        Assert.Contains(lines, line => line is { Content: "out", IsErrorMessage: false });
        Assert.Contains(lines, line => line is { Content: "err", IsErrorMessage: true });

        // One watch sees both replicas.
        var service = app.Builder.Resources.Single(resource => resource.Name == "service");
        var starts = 0;
        using var limit = new CancellationTokenSource(s_limit);
        await foreach (var batch in logs.WatchAsync(service).WithCancellation(limit.Token))
        {
            starts += batch.Count(line => line.Content.Contains("Application started", StringComparison.Ordinal));
            if (starts == 2)
            {
                break;
            }
        }

        Assert.Equal(2, starts);
    }
}
