using System.Diagnostics;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>The client against a real controller without workers: what it sends, what it survives, and what it says when something is wrong.</summary>
public sealed class FlusterClientTests : IAsyncLifetime
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly JobRequest s_request = new() { Name = "job", Entrypoint = JobEntrypoint.Command("true") };

    private ControllerProcess _controller = null!;

    public async Task InitializeAsync() => _controller = await ControllerProcess.StartAsync();

    public async Task DisposeAsync() => await _controller.DisposeAsync();

    [Fact]
    public async Task Submit_Root_HasANameAndEightDigits()
    {
        await using var client = _controller.Client();

        var job = await client.SubmitAsync(s_request);

        Assert.Matches("^job-[0-9a-f]{8}$", job.Id.ToString());
        var status = await job.GetStatusAsync();
        Assert.Equal((job.Id, "job", Namespace.Default, JobState.Pending, "true"), (status.Id, status.Name, status.Namespace, status.State, status.Entrypoint));
        Assert.Equal(new ResourceSpec(), status.Resources);
    }

    [Fact]
    public async Task Submit_InsideAJob_IsItsChildInItsNamespace()
    {
        await using var client = _controller.Client();
        var parent = await client.SubmitAsync(s_request with { Namespace = Namespace.Parse("prod") });
        using var scope = new FlusterContext { JobId = parent.Id, Namespace = Namespace.Parse("prod"), Controller = client }.Enter();

        var refused = await Assert.ThrowsAsync<ClusterException>(() => client.SubmitAsync(s_request));

        // Nothing runs it, so that it has no attempt that a child could belong to; its id is what is asked for here.
        Assert.Equal(ClusterError.FailedPrecondition, refused.Error);
        Assert.Contains(parent.Id.ToString(), refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Submit_InsideAJobOfAnotherCluster_IsARoot()
    {
        await using var client = _controller.Client();
        await using var other = new FlusterClient(new FlusterClientOptions { Address = "http://127.0.0.1:1" });
        using var scope = new FlusterContext { JobId = JobId.Parse("a-1a2b3c4d"), Namespace = Namespace.Parse("prod"), Controller = other }.Enter();

        var job = await client.SubmitAsync(s_request);

        Assert.Null(job.Id.Parent);
        Assert.Equal(Namespace.Default, (await job.GetStatusAsync()).Namespace);
    }

    [Fact]
    public async Task Submit_NamespacePerRootJob_IsNamedLikeTheJob()
    {
        await using var client = new FlusterClient(new FlusterClientOptions { Address = _controller.GrpcAddress, Token = _controller.AdminToken, NamespacePerRootJob = true });

        var job = await client.SubmitAsync(s_request);

        Assert.Equal(job.Id.ToString(), (await job.GetStatusAsync()).Namespace.ToString());
    }

    [Fact]
    public async Task Submit_CancelledWhenTheControllerHasTheJob_StopsIt()
    {
        await using var controller = await ScriptedController.StartAsync();
        controller.AnswerLaunch = new TaskCompletionSource().Task; // never
        controller.Play = _ => Task.CompletedTask; // runs until it is stopped
        await using var client = new FlusterClient(new FlusterClientOptions { Address = controller.Address, Token = ScriptedController.Token });
        using var cancel = new CancellationTokenSource();
        var submit = client.SubmitAsync(s_request, cancel.Token);
        await Eventually.True(() => controller.Jobs.Count == 1, "the controller has the job");
        Assert.False(submit.IsCompleted);

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => submit);
        Assert.True(Assert.Single(controller.Jobs).StopRequested.IsCompleted);
    }

    [Fact]
    public async Task Submit_CancelledAlready_MakesNoJob()
    {
        await using var client = _controller.Client();
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.SubmitAsync(s_request, cancelled.Token));

        Assert.Empty(await client.ListAsync().ToListAsync());
    }

    [Fact]
    public async Task Terminate_Pending_IsKilledAndTheWaitReturns()
    {
        await using var client = _controller.Client();
        var job = await client.SubmitAsync(s_request);
        var wait = job.WaitAsync(s_patience);

        await job.TerminateAsync();

        var status = await wait;
        Assert.Equal((JobState.Killed, KillCause.User), (status.State, status.Failure?.KilledBy));
        var failed = await Assert.ThrowsAsync<JobFailedException>(() => job.WaitAsync(s_patience, throwOnFailure: true));
        Assert.StartsWith($"{job.Id} ended Killed: ", failed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Wait_AcrossRestartsOfTheController_Returns()
    {
        await using var client = _controller.Client();
        var job = await client.SubmitAsync(s_request);
        var wait = job.WaitAsync(s_patience);

        await _controller.KillAsync();
        await _controller.StartAsync();
        Assert.False(wait.IsCompleted);
        await _controller.StopAsync();
        await _controller.StartAsync();
        await client.TerminateAsync(job.Id);

        Assert.Equal(JobState.Killed, (await wait).State);
    }

    [Fact]
    public async Task Calls_WhileAKnownControllerIsAway_AreMadeAgain()
    {
        await using var client = _controller.Client();
        var first = await client.SubmitAsync(s_request);
        await _controller.KillAsync();

        var submit = client.SubmitAsync(s_request with { Name = "later" });
        var status = client.GetStatusAsync(first.Id);
        await _controller.StartAsync();

        Assert.Equal(JobState.Pending, (await status).State);
        Assert.Equal("later", (await (await submit).GetStatusAsync()).Name);
        Assert.Single(await ListAsync(client, new JobFilter { Within = (await submit).Id }));
    }

    [Fact]
    public async Task Wait_Timeout_SaysWhatTheJobIs()
    {
        await using var client = _controller.Client();
        var job = await client.SubmitAsync(s_request);

        var error = await Assert.ThrowsAsync<TimeoutException>(() => job.WaitAsync(TimeSpan.FromSeconds(3)));

        Assert.Equal($"{job.Id} has not ended after 3 s; it is Pending.", error.Message);
    }

    [Fact]
    public async Task Wait_Cancelled_LeavesTheJobAlone()
    {
        await using var client = _controller.Client();
        var job = await client.SubmitAsync(s_request);
        using var cancel = new CancellationTokenSource();
        var wait = job.WaitAsync(cancellationToken: cancel.Token);

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => wait);
        Assert.Equal(JobState.Pending, (await job.GetStatusAsync()).State);
    }

    [Fact]
    public async Task List_ByStateAndPrefix_HasThoseJobsNewestFirst()
    {
        await using var client = _controller.Client(Namespace.Parse("mine"));
        await using var other = _controller.Client(Namespace.Parse("other"));
        var (one, two) = (await client.SubmitAsync(s_request), await client.SubmitAsync(s_request with { Name = "two" }));
        await other.SubmitAsync(s_request);
        await one.TerminateAsync();

        Assert.Equal([two.Id, one.Id], (await ListAsync(client)).Select(job => job.Id));
        Assert.Equal([one.Id], (await ListAsync(client, new JobFilter { States = [JobState.Killed] })).Select(job => job.Id));
        Assert.Equal([two.Id], (await ListAsync(client, new JobFilter { Within = two.Id })).Select(job => job.Id));
        Assert.Equal(3, (await ListAsync(client, new JobFilter { AllNamespaces = true })).Count);
    }

    [Fact]
    public async Task Logs_OfAJobThatNeverRan_AreEmpty()
    {
        await using var client = _controller.Client();
        var job = await client.SubmitAsync(s_request);
        await job.TerminateAsync();

        Assert.Empty(await job.StreamLogs().ToListAsync());
    }

    [Fact]
    public async Task WorkingFiles_SubmittedTwice_AreSentOnce()
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllTextAsync(Path.Combine(directory.Path, "a.txt"), "hello");
        await File.WriteAllTextAsync(Path.Combine(directory.Path, "empty.txt"), "");
        await File.WriteAllBytesAsync(Path.Combine(directory.Path, "large.bin"), new byte[1_000_001]);
        var request = s_request with { Environment = new JobEnvironment { WorkingFiles = directory.Path } };
        await using var first = _controller.Client();
        await using var second = _controller.Client();

        await first.SubmitAsync(request);
        await first.SubmitAsync(request);
        await second.SubmitAsync(request);

        Assert.Equal(4, first.Uploader.Sent.Blobs); // three files and the manifest
        Assert.Equal((0, 0), second.Uploader.Sent);
    }

    [Fact]
    public async Task UnknownJob_IsNotFoundWithNearNames()
    {
        await using var client = _controller.Client();
        var job = await client.SubmitAsync(s_request);
        var near = JobId.Parse(job.Id.ToString()[..^1] + (job.Id.ToString()[^1] == '0' ? '1' : '0'));

        foreach (var call in new Func<Task>[] { () => client.GetStatusAsync(near), () => client.WaitAsync(near), () => client.StreamLogs(near).ToListAsync().AsTask() })
        {
            var error = await Assert.ThrowsAsync<ClusterException>(call);
            Assert.Equal(ClusterError.NotFound, error.Error);
            Assert.Contains(near.ToString(), error.Message, StringComparison.Ordinal);
        }

        Assert.Contains(job.Id.ToString(), (await Assert.ThrowsAsync<ClusterException>(() => client.GetStatusAsync(near))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WrongToken_IsSaidPlainly()
    {
        using var otherKey = ClusterKey.Create();
        var token = otherKey.Sign(new TokenClaims { Role = TokenRoles.Admin, ExpiresAt = long.MaxValue / 2 });
        var options = new FlusterClientOptions { Address = _controller.GrpcAddress, Token = token };

        var wrong = await Assert.ThrowsAsync<ClusterException>(() => FlusterClient.ConnectAsync(options));
        var none = await Assert.ThrowsAsync<ClusterException>(() => FlusterClient.ConnectAsync(options with { Token = null }));

        Assert.Equal((ClusterError.Unauthenticated, ClusterError.Unauthenticated), (wrong.Error, none.Error));
        Assert.Contains("does not accept the token", wrong.Message, StringComparison.Ordinal);
        Assert.Contains("asks for a token", none.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(token, options.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task NothingListens_FailsAtOnceAndSaysWhatToStart()
    {
        var options = new FlusterClientOptions { Address = $"http://127.0.0.1:{FreePorts.Next()}" };
        var started = Stopwatch.GetTimestamp();

        var error = await Assert.ThrowsAsync<ClusterException>(() => FlusterClient.ConnectAsync(options));

        Assert.Equal(ClusterError.Unavailable, error.Error);
        Assert.Contains($"No controller is running at {options.Address}", error.Message, StringComparison.Ordinal);
        Assert.Contains("Start one with 'fluster cluster up'", error.Message, StringComparison.Ordinal);
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task PagesPort_IsSaidPlainly()
    {
        var options = new FlusterClientOptions { Address = _controller.HttpAddress, Token = _controller.AdminToken };

        var error = await Assert.ThrowsAsync<ClusterException>(() => FlusterClient.ConnectAsync(options));

        Assert.Contains("is not a Fluster controller's gRPC endpoint", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Connect_RightToken_Works()
    {
        await using var client = await FlusterClient.ConnectAsync(new FlusterClientOptions { Address = _controller.GrpcAddress, Token = _controller.AdminToken });

        Assert.Equal(_controller.GrpcAddress, client.Address);
    }

    private static async Task<List<JobStatus>> ListAsync(FlusterClient client, JobFilter? filter = null) => await client.ListAsync(filter).ToListAsync();
}
