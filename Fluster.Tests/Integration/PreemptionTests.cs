using System.Globalization;
using System.Net;
using Fluster.Cluster;
using Fluster.Local;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Fluster.Tests;

/// <summary>Machines that are taken away: jobs get their notice, and run again on the budget of preemptions.</summary>
public class PreemptionTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task LocalClient_Preempts_TheJobIsToldAndRunsAgain()
    {
        await using var client = new LocalClient();
        await RehearseAsync(client, (job, notice) => client.PreemptAsync(job, notice));
    }

    [Fact]
    public async Task LocalCluster_Preempts_TheJobIsToldAndRunsAgain()
    {
        await using var cluster = await LocalCluster.StartAsync();
        await RehearseAsync(cluster.Client, (job, notice) => cluster.PreemptAsync(job, notice));
        await Assert.ThrowsAsync<ClusterException>(() => cluster.PreemptAsync(JobId.Parse("none-00000000")));
    }

    [Fact]
    public async Task LocalClient_PreemptsACommand_ItReadsItsNotice()
    {
        await using var client = new LocalClient();
        using var directory = new TemporaryDirectory();
        var told = directory.File("told");
        var job = await client.SubmitAsync(TestCluster.Bash(Telling(told)) with { MaxPreemptionRetries = 0 });
        await Eventually.True(() => Task.FromResult(File.Exists(told + ".runs")), () => "it runs");

        var before = TimeProvider.System.GetUtcNow();
        await client.PreemptAsync(job.Id, TimeSpan.FromSeconds(30));

        Assert.Equal(KillCause.Preemption, (await job.WaitAsync().WaitAsync(s_patience)).Failure?.KilledBy);
        Assert.InRange(await NoticeAsync(told) - before, TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task LocalClient_PreemptsAJobTooOften_ItFails()
    {
        await using var client = new LocalClient();
        var job = await client.SubmitAsync(async (CancellationToken stopping) => await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stopping), new JobOptions { MaxPreemptionRetries = 0 });
        await Eventually.True(async () => (await job.GetStatusAsync()).State == JobState.Running, () => "it runs");

        await client.PreemptAsync(job.Id, TimeSpan.FromSeconds(30));

        var ended = await job.WaitAsync().WaitAsync(s_patience);
        Assert.Equal((JobState.Failed, KillCause.Preemption), (ended.State, ended.Failure?.KilledBy));
    }

    [Fact]
    public async Task Worker_MetadataServerSaysPreempted_JobsAreToldAndNothingMoreComes()
    {
        await using var metadata = await MetadataServer.StartAsync();
        await using var cluster = await TestCluster.StartAsync(workerSettings: new Dictionary<string, string?>(StringComparer.Ordinal) { ["Fluster__Worker__MetadataHost"] = metadata.Address });
        using var directory = new TemporaryDirectory();
        var told = directory.File("told");
        var job = await cluster.Client.SubmitAsync(
            TestCluster.Bash(Telling(told)) with { MaxPreemptionRetries = 0 });
        await Eventually.True(() => Task.FromResult(File.Exists(told + ".runs")), () => "it runs");

        var before = TimeProvider.System.GetUtcNow();
        metadata.Preempt();

        var ended = await job.WaitAsync().WaitAsync(s_patience);
        Assert.NotEqual(JobState.Succeeded, ended.State);
        Assert.Equal((KillCause.Preemption, (int?)7), (ended.Failure?.KilledBy, ended.Failure?.ExitCode));
        Assert.InRange(await NoticeAsync(told) - before, TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(60));
        await cluster.Workers[0].EndedAsync().WaitAsync(s_patience); // it has nothing left to do on a machine that goes
    }

    /// <summary>A program that passes its notice on when it is asked to end.</summary>
    private static string Telling(string file) => $"trap 'cat $FLUSTER_PREEMPTION_FILE > {file}; exit 7' TERM; touch {file}.runs; while true; do sleep 0.05; done";

    private static async Task<DateTimeOffset> NoticeAsync(string file) => DateTimeOffset.Parse(await File.ReadAllTextAsync(file), CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind);

    private static async Task RehearseAsync(IClusterController client, Func<JobId, TimeSpan, Task> preempt)
    {
        using var directory = new TemporaryDirectory();
        var saved = directory.File("saved");
        var job = await client.SubmitAsync(async (CancellationToken stopping) =>
        {
            if (File.Exists(saved))
            {
                return await File.ReadAllTextAsync(saved, CancellationToken.None);
            }

            var before = FlusterContext.Current.Preemption;
            await Console.Out.WriteLineAsync("runs");
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            var left = FlusterContext.Current.Preemption!.TimeLeft;
            await File.WriteAllTextAsync(saved, $"{before is null} {left > TimeSpan.FromSeconds(20)} {left < TimeSpan.FromSeconds(60)}", CancellationToken.None);
            throw new OperationCanceledException(stopping);
        });
        await Scenario.FirstLineAsync(job);

        await preempt(job.Id, TimeSpan.FromSeconds(60));

        Assert.Equal("True True True", await job.ResultAsync().WaitAsync(s_patience));
        var attempts = (await job.GetStatusAsync()).Tasks[0].Attempts;
        Assert.Equal([KillCause.Preemption, null], attempts.Select(attempt => attempt.Failure?.KilledBy));
    }

    /// <summary>What workers ask of the metadata server of Compute Engine, and nothing else.</summary>
    private sealed class MetadataServer : IAsyncDisposable
    {
        private readonly TaskCompletionSource _preempted = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly WebApplication _app;

        private MetadataServer(WebApplication app)
        {
            _app = app;
            app.MapGet("/computeMetadata/v1/instance/preempted", (Func<HttpContext, Task<string>>)PreemptedAsync);
            app.MapGet("/computeMetadata/v1/instance/maintenance-event", async (CancellationToken gone) =>
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, gone).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                return "NONE";
            });
        }

        public string Address => _app.Urls.First()["http://".Length..];

        public static async Task<MetadataServer> StartAsync()
        {
            var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
            builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
            builder.Services.AddRoutingCore();
            var server = new MetadataServer(builder.Build());
            await server._app.StartAsync();
            return server;
        }

        public void Preempt() => _preempted.SetResult();

        public async ValueTask DisposeAsync() => await _app.DisposeAsync();

        private async Task<string> PreemptedAsync(HttpContext context)
        {
            Assert.Equal("Google", context.Request.Headers["Metadata-Flavor"]);
            var isFirst = context.Request.Query["last_etag"] == "0";
            if (!isFirst)
            {
                await Task.WhenAny(_preempted.Task, Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted));
            }

            context.Response.Headers.ETag = _preempted.Task.IsCompleted ? "b" : "a";
            return _preempted.Task.IsCompleted ? "TRUE" : "FALSE";
        }
    }
}
