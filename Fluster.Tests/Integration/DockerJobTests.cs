using System.Runtime.Versioning;
using Fluster.Cluster;
using Fluster.Worker;

namespace Fluster.Tests;

/// <summary>Jobs that name an image, from submit to result: a real controller, a real worker, a real engine.</summary>
[SupportedOSPlatform("linux")]
public class DockerJobTests
{
    private static readonly JobEnvironment s_image = new() { Image = TestEngine.Image };
    private static readonly ResourceSpec s_core = new() { Cpu = 1 };

    [EngineFact]
    public async Task Lambda_InAnImage_ReturnsItsResultAndCannotChangeItsBundle()
    {
        await using var cluster = await TestCluster.StartAsync();
        var number = 21;

        var job = await cluster.Client.SubmitAsync(
            () =>
            {
                var refused = "";
                try
                {
                    File.WriteAllText(Path.Combine(AppContext.BaseDirectory, "left-behind"), "");
                }
                catch (IOException)
                {
                    refused = "refused";
                }

                return new Answer(File.Exists("/.dockerenv"), AppContext.BaseDirectory, refused, FlusterContext.Current.JobId.ToString(), number * 2);
            },
            new JobOptions { Environment = s_image, Resources = s_core with { Memory = ByteSize.Parse("512m") } });
        var answer = await job.ResultAsync(TimeSpan.FromSeconds(60));

        Assert.Equal(new Answer(InContainer: true, answer.Directory, "refused", job.Id.ToString(), 42), answer);
    }

    [EngineFact]
    public async Task Command_InAnImage_HasFilesAndFailsWithItsReason()
    {
        await using var cluster = await TestCluster.StartAsync();
        using var files = new TemporaryDirectory();
        await File.WriteAllTextAsync(files.File("input.txt"), "from the submitter\n");

        var failing = await cluster.Client.SubmitAsync(Bash("cat input.txt; echo oops >&2; exit 3") with { Environment = s_image with { WorkingFiles = files.Path } });
        var late = await cluster.Client.SubmitAsync(Bash("sleep 50") with { ExecutionTimeout = TimeSpan.FromSeconds(1) });
        var missing = await cluster.Client.SubmitAsync(Bash("true") with { Environment = new JobEnvironment { Image = "127.0.0.1:1/no/image:1" } });
        var statuses = await Task.WhenAll(((JobHandle[])[failing, late, missing]).Select(job => job.WaitAsync(TimeSpan.FromSeconds(60))));

        Assert.All(statuses, status => Assert.Equal(JobState.Failed, status.State));
        Assert.Equal([FailureKind.ExitCode, FailureKind.Timeout, FailureKind.Image], statuses.Select(status => status.Failure!.Kind));
        Assert.All(statuses, status => Assert.Single(Assert.Single(status.Tasks).Attempts));
        Assert.Equal("from the submitter", await cluster.LogAsync(failing.Id));
        Assert.Equal("oops", await cluster.LogAsync(failing.Id, JobLogStream.Stderr));
    }

    [EngineFact]
    public async Task Terminate_RunningContainer_EndsKilledAfterItsGrace()
    {
        await using var cluster = await TestCluster.StartAsync();
        var job = await cluster.Client.SubmitAsync(Bash("trap 'echo tidied; exit 0' TERM; echo ready; while :; do sleep 0.05; done"));
        await Eventually.True(async () => await cluster.LogAsync(job.Id, follow: false) == "ready", () => "the job is ready");

        await job.TerminateAsync();
        var status = await job.WaitAsync(TimeSpan.FromSeconds(30));

        Assert.Equal((JobState.Killed, KillCause.User), (status.State, status.Failure!.KilledBy));
        Assert.Equal("ready\ntidied", await cluster.LogAsync(job.Id));
    }

    [EngineFact]
    public async Task WorkerKilled_ItsContainersAreGoneWithin5Seconds_AndTheJobIsTriedAgain()
    {
        await using var cluster = await TestCluster.StartAsync();
        using var engine = new DockerEngine(TestEngine.Socket);
        var worker = cluster.Workers[0];
        var job = await cluster.Client.SubmitAsync(Bash("setsid sleep 50 & echo ready; exec sleep 50"));
        await Eventually.True(async () => await cluster.LogAsync(job.Id, follow: false) == "ready", () => "the job is ready");
        var ward = worker.WardId;
        var container = Assert.Single(await engine.ListAsync(WardContainers.WardLabel, ward, CancellationToken.None));
        var processes = ProcessTable.Descendants(ProcessTable.Read(), [(await engine.FindContainerAsync(container.Id, CancellationToken.None))!.State.Pid]);

        await worker.KillAsync();
        var killed = TimeProvider.System.GetTimestamp();
        await Eventually.True(async () => (await engine.ListAsync(WardContainers.WardLabel, ward, CancellationToken.None)).Count == 0, () => "The container is still there.");

        Assert.True(TimeProvider.System.GetElapsedTime(killed) < TimeSpan.FromSeconds(5 * TestPatience), $"{TimeProvider.System.GetElapsedTime(killed)}");
        Assert.True(processes.Count >= 2);
        Assert.DoesNotContain(processes, process => process.Identity.IsAlive());

        worker.Start();
        await Eventually.True(async () => (await cluster.Client.GetStatusAsync(job.Id)).Tasks[0].Attempts is [{ State: JobState.WorkerFailed }, { State: JobState.Running }], () => worker.Process.Output);
        await job.TerminateAsync();
        Assert.Equal(JobState.Killed, (await job.WaitAsync(TimeSpan.FromSeconds(30))).State);
    }

    [EngineFact]
    public async Task Worker_WithAnEngine_SaysSoInItsHealthAndCapabilities()
    {
        await using var cluster = await TestCluster.StartAsync();
        using var channel = cluster.Controller.Channel();

        var worker = Assert.Single((await ControllerProcess.Service(channel).ListWorkersAsync(new Cluster.V1.ListWorkersRequest(), cluster.Controller.Headers())).Workers);

        Assert.Contains("docker", worker.Capabilities.Runtimes);
        var health = Assert.Single(worker.Health.Runtimes, runtime => runtime.Name == "docker");
        Assert.True(health.Usable);
        Assert.StartsWith("Docker Engine ", health.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Worker_WithoutAnEngine_SaysWhyAndCannotRunImages()
    {
        using var directory = new TemporaryDirectory();
        await using var cluster = await TestCluster.StartAsync(workerSettings: new Dictionary<string, string?>(StringComparer.Ordinal) { ["Fluster__Worker__DockerSocket"] = directory.File("docker.sock") });
        using var channel = cluster.Controller.Channel();

        var worker = Assert.Single((await ControllerProcess.Service(channel).ListWorkersAsync(new Cluster.V1.ListWorkersRequest(), cluster.Controller.Headers())).Workers);

        Assert.Equal(["process"], worker.Capabilities.Runtimes);
        var health = Assert.Single(worker.Health.Runtimes, runtime => runtime.Name == "docker");
        Assert.False(health.Usable);
        Assert.StartsWith($"The Docker Engine at {directory.File("docker.sock")} does not answer: ", health.Detail, StringComparison.Ordinal);
        Assert.True(worker.Health.AcceptsWork);

        var job = await cluster.Client.SubmitAsync(Bash("true"));
        var plain = await cluster.Client.SubmitAsync(TestCluster.Bash("exit 3"));
        Assert.Equal(3, (await plain.WaitAsync(TimeSpan.FromSeconds(30))).ExitCode); // the worker takes what is not for a container
        var explanation = await cluster.Client.ExplainAsync(job.Id);
        Assert.Equal((PendingCause.ContainerEngine, "It runs in a container, and no worker has a container engine."), (explanation.Cause, explanation.Reason));
        Assert.Equal(JobState.Pending, (await job.GetStatusAsync()).State);
    }

    [EngineFact]
    public async Task EngineThatComesAndGoes_JobsAreGivenOnlyWhileItAnswers()
    {
        using var directory = new TemporaryDirectory();
        var socket = directory.File("docker.sock");
        await using var cluster = await TestCluster.StartAsync(workerSettings: new Dictionary<string, string?>(StringComparer.Ordinal) { ["Fluster__Worker__DockerSocket"] = socket });
        var first = await cluster.Client.SubmitAsync(Bash("exit 3"));
        Assert.Equal(PendingCause.ContainerEngine, (await cluster.Client.ExplainAsync(first.Id)).Cause);

        File.CreateSymbolicLink(socket, TestEngine.Socket);
        Assert.Equal(3, (await first.WaitAsync(TimeSpan.FromSeconds(60))).ExitCode);

        File.Delete(socket);
        await Eventually.True(
            async () =>
            {
                var second = await cluster.Client.SubmitAsync(Bash("sleep 1"));
                var cause = (await cluster.Client.ExplainAsync(second.Id)).Cause;
                await second.TerminateAsync();
                return cause == PendingCause.ContainerEngine;
            },
            () => "the worker says that its engine is away");

        // What the engine made of requests whose answers nobody heard is removed when it is there again.
        File.CreateSymbolicLink(socket, TestEngine.Socket);
        using var engine = new DockerEngine(TestEngine.Socket);
        await Eventually.True(async () => (await engine.ListAsync(WardContainers.DirectoryLabel, cluster.Workers[0].DataDirectory, CancellationToken.None)).Count == 0, () => "nothing is left in it");
    }

    [EngineFact(TestEngine.WorkerImage)]
    public async Task WorkerImage_Started_JoinsTheClusterAndRunsJobs()
    {
        await using var cluster = await TestCluster.StartAsync(workers: 0);
        using var engine = new DockerEngine(TestEngine.Socket);
        var name = $"fluster-test-{Guid.NewGuid():N}";
        try
        {
            await engine.CreateContainerAsync(
                name,
                new DockerContainerRequest
                {
                    Image = TestEngine.WorkerImage,
                    Entrypoint = ["dotnet", "/usr/lib/fluster/worker/Fluster.Worker.dll"],
                    Env = ["Fluster__Worker__Id=contained", $"Fluster__Worker__Token={cluster.Controller.WorkerToken("contained")}", $"Fluster__Worker__ControllerAddress={cluster.Controller.GrpcAddress}"],
                    Labels = new Dictionary<string, string>(StringComparer.Ordinal),
                    HostConfig = new DockerHostConfig { NetworkMode = "host", Init = true },
                },
                CancellationToken.None);
            await engine.StartContainerAsync(name, CancellationToken.None);

            var job = await cluster.Client.SubmitAsync(TestCluster.Bash("[ -e /.dockerenv ] && echo contained"));
            var lambda = await cluster.Client.SubmitAsync(() => File.Exists("/.dockerenv"));

            Assert.True(await lambda.ResultAsync(TimeSpan.FromSeconds(60)));
            Assert.Equal(JobState.Succeeded, (await job.WaitAsync(TimeSpan.FromSeconds(30))).State);
            Assert.Equal("contained", await cluster.LogAsync(job.Id));
        }
        finally
        {
            await engine.RemoveAsync(name, CancellationToken.None);
        }
    }

    /// <summary>How much slower than an idle machine this one may be.</summary>
    private const int TestPatience = 2;

    private static JobRequest Bash(string script) => TestCluster.Bash(script) with { Environment = s_image, Resources = s_core };

    internal sealed record Answer(bool InContainer, string Directory, string Written, string JobId, int Number);
}
