using System.Diagnostics;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Lambdas as jobs, from submit to result, through a real controller and a real worker.</summary>
public sealed class LambdaJobTests(SharedCluster shared) : IClassFixture<SharedCluster>
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(120);
    private static readonly string s_wordCount = Path.Combine(
        Repository.Root, "samples", "WordCount", "bin", AppContext.BaseDirectory.Contains("/Release/", StringComparison.Ordinal) ? "Release" : "Debug", "net10.0", "WordCount.dll");

    private readonly FlusterClient _client = shared.Cluster.Client;

    public sealed record Model(string Name, IReadOnlyList<int> Layers);

    [Fact]
    public async Task Lambda_CapturesIntStringListAndRecord_ReturnsItsResult()
    {
        var (number, text, list, model) = (7, "tëxt", new List<string> { "a", "b" }, new Model("net", [1, 2, 3]));

        var job = await _client.SubmitAsync(() => new Model($"{text} {number} {string.Join('+', list)} {model.Name}", [.. model.Layers, number]));

        var result = await job.ResultAsync(s_patience);
        Assert.Equal("tëxt 7 a+b net", result.Name);
        Assert.Equal([1, 2, 3, 7], result.Layers);
        var status = await job.GetStatusAsync();
        Assert.Equal((JobState.Succeeded, 0), (status.State, status.ExitCode));
        Assert.Equal("LambdaJobTests.Lambda_CapturesIntStringListAndRecord_ReturnsItsResult lambda", status.Entrypoint);
    }

    [Fact]
    public async Task Lambda_WithAVariableThatAsksForADebugger_DoesNotBeginWithoutOne()
    {
        using var directory = new TemporaryDirectory();
        var begun = directory.File("begun");
        var job = await _client.SubmitAsync(new JobRequest
        {
            Name = "debugged",
            Entrypoint = JobEntrypoint.For(() => File.WriteAllText(begun, "")),
            Environment = new JobEnvironment { Variables = new Dictionary<string, string>(StringComparer.Ordinal) { ["FLUSTER_WAIT_FOR_DEBUGGER"] = "1" } },
        });

        var first = await Scenario.FirstLineAsync(job);
        await job.TerminateAsync();

        Assert.Matches(@"^Waiting for a debugger to attach to process \d+ \(FLUSTER_WAIT_FOR_DEBUGGER=1\)\.$", first.Text);
        Assert.Equal(JobState.Killed, (await job.WaitAsync(s_patience)).State);
        Assert.False(File.Exists(begun));
    }

    [Fact]
    public async Task Lambda_CapturesAFileStream_IsRefusedAtSubmitAndMakesNoJob()
    {
        using var file = File.OpenRead(typeof(LambdaJobTests).Assembly.Location);

        var error = await Assert.ThrowsAsync<JobRequestException>(() => _client.SubmitAsync(() => file.Length, new JobOptions { Name = "never-there" }));

        Assert.StartsWith("The captured variable 'file' is a System.IO.FileStream, which cannot travel: ", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(await _client.ListAsync().ToListAsync(), job => job.Name == "never-there");
    }

    [Fact]
    public async Task Lambda_Throws_FailsWithTheException()
    {
        var what = "that";
        var job = await _client.SubmitAsync(void () => throw new InvalidOperationException($"not {what}"));

        var error = await Assert.ThrowsAsync<JobFailedException>(() => job.WaitAsync(s_patience, throwOnFailure: true));

        Assert.Equal((JobState.Failed, FailureKind.ExitCode, 1), (error.Status.State, error.Status.Failure?.Kind, error.Status.ExitCode));
        Assert.Equal(("System.InvalidOperationException", "not that"), (error.Status.Failure?.Exception?.Type, error.Status.Failure?.Exception?.Message));
        Assert.Contains("System.InvalidOperationException: not that", error.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(LambdaJobTests), error.Status.Failure?.Exception?.Stack, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lambda_ExitsWithACode_FailsWithIt()
    {
        var job = await _client.SubmitAsync(() => Environment.Exit(3));

        Assert.Equal((JobState.Failed, 3, "Exit code: 3"), await OutcomeAsync(job));
    }

    [Fact]
    public async Task Replicas_ReturnTheirResultsByIndex()
    {
        var job = await _client.SubmitAsync(() => FlusterContext.Current.TaskIndex * 10, new JobOptions { Replicas = 3 });

        Assert.Equal([0, 10, 20], await job.ResultsAsync(s_patience));
        await Assert.ThrowsAsync<InvalidOperationException>(() => job.ResultAsync(s_patience));
    }

    [Fact]
    public async Task LargeCapturesAndResults_TravelAsBlobs()
    {
        var data = Enumerable.Range(0, 300_000).ToArray();

        var job = await _client.SubmitAsync(() => data.Select(number => number * 2).ToArray());

        Assert.Equal(data.Select(number => number * 2), await job.ResultAsync(s_patience));
    }

    [Fact]
    public async Task Context_InAJob_IsTheJobsOwn()
    {
        var job = await _client.SubmitAsync(
            () =>
            {
                var context = FlusterContext.Current;
                return $"{context.JobId} {context.Namespace} {context.TaskIndex}/{context.TaskCount} {context.Fence.IsNone} {context.WorkerId} {context.GetPort("http") is > 0 and < 65536} {context.Controller?.Address}";
            },
            new JobOptions { Name = "context", Ports = ["http"] });

        Assert.Equal($"{job.Id} default 0/1 False worker-1 True {_client.Address}", await job.ResultAsync(s_patience));
    }

    [Fact]
    public async Task Child_SubmittedInAJob_BelongsToItAndReturnsItsResult()
    {
        var factor = 6;
        var job = await _client.SubmitAsync(
            async () =>
            {
                var child = await FlusterContext.Current.Controller!.SubmitAsync(() => factor * 7, new JobOptions { Name = "child" });
                return $"{child.Id} {await child.ResultAsync()}";
            },
            new JobOptions { Name = "parent" });

        Assert.Equal($"{job.Id}/child 42", await job.ResultAsync(s_patience));
    }

    [Fact]
    public async Task Terminate_CancelsTheTokenParameter()
    {
        var job = await _client.SubmitAsync(async (CancellationToken stopping) =>
        {
            Console.WriteLine("ready");
            var stopped = new TaskCompletionSource();
            await using var registration = stopping.Register(stopped.SetResult);
            await stopped.Task;
            Console.WriteLine("stopped well");
        });
        var lines = new List<string>();
        await foreach (var line in job.StreamLogs())
        {
            lines.Add(line.Text);
            if (line.Text == "ready")
            {
                await job.TerminateAsync();
            }
        }

        Assert.Equal(["ready", "stopped well"], lines);
        Assert.Equal(JobState.Killed, (await job.WaitAsync(s_patience)).State);
    }

    [Fact]
    public async Task Trace_OfTheSubmitter_GoesOnInTheJob()
    {
        using var activity = new Activity("submitter").Start();

        var job = await _client.SubmitAsync(() => Activity.Current?.TraceId.ToString());

        Assert.Equal(activity.TraceId.ToString(), await job.ResultAsync(s_patience));
    }

    [Fact]
    public async Task SecondSubmit_OfTheSameBuild_MovesNoFile()
    {
        await (await _client.SubmitAsync(() => 1)).ResultAsync(s_patience);
        await using var second = shared.Cluster.Controller.Client();

        Assert.Equal(2, await (await second.SubmitAsync(() => 2)).ResultAsync(s_patience));
        Assert.Equal((0, 0), second.Uploader.Sent);
    }

    [Fact]
    public async Task WordCount_CountsWhatTheShellCounts()
    {
        using var directory = new TemporaryDirectory();
        Directory.CreateDirectory(Path.Combine(directory.Path, "sub"));
        await File.WriteAllTextAsync(Path.Combine(directory.Path, "a.txt"), "The quick brown fox; the LAZY dog's tail.\nÜber 42 the\ttail");
        await File.WriteAllTextAsync(Path.Combine(directory.Path, "b b.txt"), "end-of-line without line feed: tail");
        await File.WriteAllBytesAsync(Path.Combine(directory.Path, "c.bin"), [0xFF, (byte)'x', 0x00, (byte)'y', 0xC3]);
        await File.WriteAllTextAsync(Path.Combine(directory.Path, "empty"), "");
        await File.WriteAllTextAsync(Path.Combine(directory.Path, ".hidden"), "hidden");
        await File.WriteAllTextAsync(Path.Combine(directory.Path, "sub", "d.txt"), "below");

        var counted = await RunAsync("dotnet", s_wordCount, directory.Path);
        var expected = await RunAsync("bash", "-c", """for f in "$0"/*; do cat "$f" 2>/dev/null; echo; done | LC_ALL=C tr -cs 'A-Za-z' '\n' | grep . | LC_ALL=C sort | uniq -c""", directory.Path);

        Assert.Contains("      3 tail\n", expected.Output, StringComparison.Ordinal);
        Assert.Equal((0, expected.Output), counted);
    }

    [Fact]
    public async Task WordCount_NoSuchDirectory_SaysSo() => 
        Assert.Equal((2, "There is no directory '/does/not/exist'.\n"), await RunAsync("dotnet", s_wordCount, "/does/not/exist"));

    private static async Task<(JobState, int?, string?)> OutcomeAsync(JobHandle job)
    {
        var status = await job.WaitAsync(s_patience);
        return (status.State, status.ExitCode, status.Failure?.Message);
    }

    private async Task<(int ExitCode, string Output)> RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment[FlusterEnvironment.ControllerAddress] = shared.Cluster.Controller.GrpcAddress;
        start.Environment[FlusterEnvironment.Token] = shared.Cluster.Controller.AdminToken;
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start.");
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output + await error);
    }
}
