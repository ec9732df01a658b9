using System.Diagnostics;
using Fluster.Actors;
using Fluster.Cluster;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>One trace from the submit to the result, through controller, worker, user code and the actors that it calls, in as many processes.</summary>
public sealed class OneTraceTests(SharedCluster shared) : IClassFixture<SharedCluster>
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(120);

    private readonly FlusterClient _client = shared.Cluster.Client;

    public interface ISum
    {
        Task<int> Add(int number);
    }

    [Fact]
    public async Task Job_ThatCallsAnActor_IsOneTraceWithoutOrphans()
    {
        var name = "sum-" + Guid.NewGuid().ToString("N")[..8];
        var server = await _client.SubmitAsync((CancellationToken stopping) => ServeAsync(name, stopping));
        using var own = new OwnSpans();
        var job = await _client.SubmitAsync(() => CallAsync(name));
        Assert.Equal(5, await job.ResultAsync(s_patience));

        var trace = await TraceAsync(job.Id, spans => Named(spans, "user work").Any() && spans.Any(span => span is { Kind: V1.SpanKind.Server, Source: "Fluster.Actors" }) && spans.All(span => span.End is not null));
        await server.TerminateAsync();

        IReadOnlyList<V1.Span> all = [.. trace, .. own.Spans];
        Assert.Equal([], TraceChecker.Problems(all, id => id == own.Root.SpanId.ToHexString()));
        var submit = Assert.Single(own.Spans, span => span.Name == "submit");
        var whole = Assert.Single(trace, span => span is { Source: "Fluster.Controller" } && span.ParentId == submit.SpanId);
        var attempt = Assert.Single(trace, span => span is { Source: "Fluster.Worker", Name: "attempt 1" });
        var code = Assert.Single(trace, span => span is { Source: "Fluster.Job", Name: not "process start" });
        var work = Assert.Single(Named(trace, "user work"));
        var calling = Assert.Single(trace, span => span is { Source: "Fluster.Actors", Kind: V1.SpanKind.Client });
        var serving = Assert.Single(trace, span => span is { Source: "Fluster.Actors", Kind: V1.SpanKind.Server });
        Assert.Equal([whole.SpanId, attempt.SpanId, code.SpanId, work.SpanId, calling.SpanId], ((V1.Span[])[attempt, code, work, calling, serving]).Select(span => span.ParentId));
        Assert.Equal((job.Id.ToString(), server.Id.ToString()), (calling.JobId, serving.JobId));
        Assert.Equal("5", work.Attributes["answer"]);
        Assert.All((string[])["queue", "placement"], part => Assert.Equal(whole.SpanId, Assert.Single(Named(trace, part)).ParentId));
        Assert.All((string[])["accept", "bundle", "process start"], part => Assert.Equal(attempt.SpanId, Assert.Single(Named(trace, part)).ParentId));
        Assert.Contains(own.Spans, span => span.Name == "wait");
    }

    [Fact]
    public async Task StartUp_OfAJob_AddsUpToWhatItTook()
    {
        // The machine may be busy with something else between two parts: once it is not.
        var (best, text) = (0.0, "");
        for (var attempt = 0; attempt < 5 && best < 0.9; attempt++)
        {
            using var own = new OwnSpans();
            var from = TimeProvider.System.GetUtcNow();
            var job = await _client.SubmitAsync(() => TimeProvider.System.GetUtcNow());
            var to = await job.ResultAsync(s_patience);
            var trace = await TraceAsync(job.Id, spans => TraceChecker.StartUp.All(part => Named(spans, part).Any()));
            var parts = trace.Concat(own.Spans).Where(span => TraceChecker.StartUp.Contains(span.Name, StringComparer.Ordinal)).ToList();
            if (TraceChecker.Covered(parts, from, to) is var covered && covered > best)
            {
                (best, text) = (covered, $"{from:HH:mm:ss.ffffff} to {to:HH:mm:ss.ffffff}\n{TraceChecker.Text(parts.OrderBy(span => span.Start.ToDateTimeOffset()))}");
            }
        }

        Assert.True(best is >= 0.9 and <= 1.0001, $"The parts cover {best:P1} of it.\n{text}");
    }

    [Fact]
    public async Task Retry_OfAJob_LinksToTheAttemptBefore_AndWhatWasKilledIsClosed()
    {
        using var directory = new TemporaryDirectory();
        var marker = directory.File("marker");
        var job = await _client.SubmitAsync(() => DieOnce(marker), new JobOptions { MaxFailureRetries = 1 });
        await job.WaitAsync(s_patience);

        var trace = await TraceAsync(job.Id, spans => spans.All(span => span.End is not null) && spans.Count(span => span.Name.StartsWith("attempt", StringComparison.Ordinal)) == 2 && Named(spans, "inner").Count() == 2);

        Assert.Equal([], TraceChecker.Problems(trace));
        var attempts = trace.Where(span => span.Name.StartsWith("attempt", StringComparison.Ordinal)).OrderBy(span => span.Name, StringComparer.Ordinal).ToList();
        Assert.Equal(attempts[0].SpanId, Assert.Single(attempts[1].Links).SpanId);
        Assert.Equal([V1.SpanStatus.Error, V1.SpanStatus.Ok], attempts.Select(span => span.Status));
        Assert.Equal("Its process ended first.", Assert.Single(Named(trace, "outer"), span => span.Status == V1.SpanStatus.Error).StatusMessage);
    }

    internal static async Task<int> CallAsync(string name)
    {
        using var source = new ActivitySource("Mine");
        using var work = source.StartActivity("user work");
        using var client = new ActorClient<ISum>(FlusterContext.Current.Resolver, name, options: new ActorCallOptions { Timeout = s_patience });
        var answer = await client.Actor.Add(5);
        work?.SetTag("answer", answer);
        return answer;
    }

    internal static async Task ServeAsync(string name, CancellationToken stopping)
    {
        await using var server = new ActorServer();
        server.Register(name, new Sum());
        await server.StartAsync(stopping);
        await server.RunAsync(stopping);
    }

    internal static void DieOnce(string marker)
    {
        using var source = new ActivitySource("Mine");
        using var outer = source.StartActivity("outer");
        using (source.StartActivity("inner"))
        {
        }

        if (!File.Exists(marker))
        {
            File.WriteAllText(marker, "");
            SpinWait.SpinUntil(() => Written().Contains("inner", StringComparison.Ordinal), s_patience);
            Process.GetCurrentProcess().Kill();
        }

        static string Written() => string.Concat(Directory.EnumerateFiles(FlusterEnvironment.Get(FlusterEnvironment.SpanDirectory)!).Select(File.ReadAllText));
    }

    private static IEnumerable<V1.Span> Named(IEnumerable<V1.Span> spans, string name) => spans.Where(span => span.Name == name);

    private async Task<IReadOnlyList<V1.Span>> TraceAsync(JobId job, Func<IReadOnlyList<V1.Span>, bool> isThere)
    {
        IReadOnlyList<V1.Span> spans = [];
        await Eventually.True(
            async () =>
            {
                spans = (await _client.GetTraceAsync(job, CancellationToken.None)).Spans;
                return isThere(spans);
            },
            () => TraceChecker.Text(spans));
        return spans;
    }

    private sealed class Sum : ISum
    {
        private int _sum;

        public Task<int> Add(int number) => Task.FromResult(_sum += number);
    }
}
