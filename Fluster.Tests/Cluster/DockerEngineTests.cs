using System.Net;
using System.Text;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>The client against a real engine.</summary>
public class DockerEngineTests
{
    [EngineFact]
    public async Task Container_FromCreateToRemove_SaysWhatItDid()
    {
        using var engine = new DockerEngine(TestEngine.Socket);
        var name = $"fluster-test-{Guid.NewGuid():N}";
        try
        {
            var id = await engine.CreateContainerAsync(name, Bash("echo out; echo error >&2; exit 3", name), CancellationToken.None);
            var created = await engine.FindContainerAsync(name, CancellationToken.None);
            await using var output = await engine.AttachAsync(id, CancellationToken.None);
            await engine.StartContainerAsync(id, CancellationToken.None);
            var exit = await engine.WaitAsync(id, CancellationToken.None);
            var texts = await ReadAsync(output);
            var ended = await engine.FindContainerAsync(name, CancellationToken.None);
            var listed = await engine.ListAsync("fluster.test", name, CancellationToken.None);

            Assert.Equal("created", created!.State.Status);
            Assert.Equal((3, "out\n", "error\n"), (exit, texts[DockerStream.Stdout], texts[DockerStream.Stderr]));
            Assert.Equal(("exited", 3, false), (ended!.State.Status, ended.State.ExitCode, ended.State.OOMKilled));
            Assert.Equal([id], listed.Select(container => container.Id));
            Assert.Equal(name, listed[0].Labels!["fluster.test"]);
            Assert.False(await engine.KillAsync(id, "SIGKILL", CancellationToken.None));
        }
        finally
        {
            Assert.True(await engine.RemoveAsync(name, CancellationToken.None));
        }

        Assert.Null(await engine.FindContainerAsync(name, CancellationToken.None));
        Assert.Empty(await engine.ListAsync("fluster.test", name, CancellationToken.None));
        Assert.True(await engine.RemoveAsync(name, CancellationToken.None));
    }

    [EngineFact]
    public async Task Kill_RunningContainer_EndsItBySignal()
    {
        using var engine = new DockerEngine(TestEngine.Socket);
        var name = $"fluster-test-{Guid.NewGuid():N}";
        try
        {
            await engine.CreateContainerAsync(name, Bash("exec sleep 60", name), CancellationToken.None);
            await engine.StartContainerAsync(name, CancellationToken.None);
            var running = await engine.FindContainerAsync(name, CancellationToken.None);

            Assert.True(await engine.KillAsync(name, "SIGTERM", CancellationToken.None));

            Assert.Equal(128 + 15, await engine.WaitAsync(name, CancellationToken.None));
            Assert.True(running!.State.Pid > 0);
        }
        finally
        {
            await engine.RemoveAsync(name, CancellationToken.None);
        }
    }

    [EngineFact]
    public async Task Image_OfARegistryThatIsNotThere_IsRefusedWithTheReason()
    {
        using var engine = new DockerEngine(TestEngine.Socket);

        Assert.Null(await engine.FindImageAsync("127.0.0.1:1/no/image:1", CancellationToken.None));
        var refused = await Assert.ThrowsAsync<DockerEngineException>(() => engine.PullImageAsync("127.0.0.1:1/no/image:1", CancellationToken.None));

        Assert.NotNull(refused.Status);
        Assert.Contains("127.0.0.1:1", refused.Message, StringComparison.Ordinal);
    }

    [EngineFact]
    public async Task Create_WithAnUnknownImage_IsNotFound()
    {
        using var engine = new DockerEngine(TestEngine.Socket);

        var refused = await Assert.ThrowsAsync<DockerEngineException>(() =>
            engine.CreateContainerAsync("fluster-test-none", Bash("true", "none") with { Image = "127.0.0.1:1/none:1" }, CancellationToken.None));

        Assert.Equal(HttpStatusCode.NotFound, refused.Status);
    }

    [Fact]
    public async Task Version_WithoutAnEngine_NamesTheSocket()
    {
        using var directory = new TemporaryDirectory();
        using var engine = new DockerEngine(directory.File("docker.sock"));

        var nobody = await Assert.ThrowsAsync<DockerEngineException>(() => engine.GetVersionAsync(CancellationToken.None));

        Assert.Null(nobody.Status);
        Assert.StartsWith($"The Docker Engine at {directory.File("docker.sock")} does not answer: ", nobody.Message, StringComparison.Ordinal);
    }

    private static DockerContainerRequest Bash(string script, string label) => new()
    {
        Image = TestEngine.Image,
        Entrypoint = ["/bin/bash", "-c", script],
        Env = [],
        Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["fluster.test"] = label },
        HostConfig = new DockerHostConfig { NetworkMode = "host", Init = true, LogConfig = new DockerLogConfig("none") },
    };

    private static async Task<Dictionary<DockerStream, string>> ReadAsync(Stream output)
    {
        var frames = new DockerFrames();
        var texts = new Dictionary<DockerStream, string> { [DockerStream.Stdout] = "", [DockerStream.Stderr] = "" };
        var buffer = new byte[4096];
        while (await output.ReadAsync(buffer) is var length and > 0)
        {
            foreach (var piece in frames.Append(buffer.AsMemory(0, length)))
            {
                texts[piece.Stream] += Encoding.UTF8.GetString(piece.Data.Span);
            }
        }

        return texts;
    }
}
