using System.Text.Json.Nodes;
using Fluster.Hosting;
using HostingKey = Fluster.Hosting.ClusterKey;
using VerifyingKey = Fluster.Cluster.ClusterKey;

namespace Fluster.Tests;

/// <summary>What an AppHost hands out: the key, tokens, the data directory, the context file, each worker's part of the machine.</summary>
public class HostingTests
{
    private static readonly DateTimeOffset s_noon = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Tokens_AreAcceptedByTheClusterAndSayWhatTheyShould()
    {
        using var directory = new TemporaryDirectory();
        using var key = HostingKey.ReadOrMake(directory.File("key.pem"));
        using var verifier = VerifyingKey.Parse(key.PublicPem);

        var admin = verifier.Verify(key.SignAdmin(s_noon), s_noon, out _);
        var worker = verifier.Verify(key.SignWorker("worker-1", s_noon), s_noon, out _);

        Assert.Equal(("fluster", "admin", "default", "apphost", null), (admin?.Iss, admin?.Role, admin?.Namespace, admin?.Subject, admin?.Worker));
        Assert.Equal(("worker", "worker-1", s_noon.ToUnixTimeSeconds()), (worker?.Role, worker?.Worker, worker?.IssuedAt));
        Assert.Equal("service", verifier.Verify(key.SignService(s_noon), s_noon, out _)?.Role);
        Assert.Null(verifier.Verify(key.SignAdmin(s_noon), s_noon.AddDays(31), out var problem));
        Assert.Equal("The token has expired.", problem);
        Assert.Equal("""{"alg":"ES256","typ":"JWT"}""", System.Text.Encoding.UTF8.GetString(System.Buffers.Text.Base64Url.DecodeFromChars(key.SignAdmin(s_noon).Split('.')[0])));
    }

    [Fact]
    public void Key_IsMadeOnceAndOnlyItsOwnerReadsIt()
    {
        using var directory = new TemporaryDirectory();
        var path = directory.File("key.pem");

        using var first = HostingKey.ReadOrMake(path);
        using var second = HostingKey.ReadOrMake(path);

        Assert.Equal(first.PrivatePem, second.PrivatePem);
        Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(path) == (UnixFileMode.UserRead | UnixFileMode.UserWrite));
    }

    [Theory]
    [InlineData("")]
    [InlineData("no key")]
    [InlineData("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----")]
    public void Key_FileHoldsSomethingElse_SaysWhatToDo(string content)
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory.File("key.pem"), content);

        var error = Assert.Throws<Aspire.Hosting.DistributedApplicationException>(() => HostingKey.ReadOrMake(directory.File("key.pem")));

        Assert.Contains("--fresh", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Data_SecondAppHost_GetsADirectoryOfItsOwnAndFreshLeavesOthersAlone()
    {
        using var directory = new TemporaryDirectory();
        using var first = new ClusterData(directory.Path);
        using var second = new ClusterData(directory.Path);
        first.Open(fresh: false);
        second.Open(fresh: false);
        Assert.Equal(directory.Path, first.Path);
        Assert.Equal(directory.File("apphost-2"), second.Path);
        Directory.CreateDirectory(first.DirectoryOf("controller"));
        var kept = Path.Combine(second.Path, "kept");
        File.WriteAllText(kept, "");
        var readOnly = Directory.CreateDirectory(Path.Combine(first.DirectoryOf("worker-1"), "bundle"));
        File.WriteAllText(Path.Combine(readOnly.FullName, "file"), "");
        if (!OperatingSystem.IsWindows())
        {
            readOnly.UnixFileMode = UnixFileMode.UserRead | UnixFileMode.UserExecute;
        }

        first.Dispose();
        using var third = new ClusterData(directory.Path);
        third.Open(fresh: true);

        Assert.Equal(directory.Path, third.Path);
        Assert.Equal([directory.File("apphost-2"), directory.File("apphost.lock")], Directory.GetFileSystemEntries(directory.Path).Order());
        Assert.True(File.Exists(kept));
    }

    [Theory]
    [InlineData(0, 2, 32768, "30000-31383")]
    [InlineData(1, 2, 32768, "31384-32767")]
    [InlineData(0, 1, int.MaxValue, "30000-40000")]
    [InlineData(0, 2, 1024, "30000-34999")] // A kernel that gives out nearly everything leaves nothing better.
    public void MachineShare_Ports_AreBelowTheEphemeralOnesAndDisjoint(int index, int count, int firstEphemeral, string expected) =>
        Assert.Equal(expected, MachineShare.Of(index, count, processors: 2, memory: 8L << 30, firstEphemeral).PortRange);

    [Fact]
    public void MachineShare_CpuAndMemory_AreDivided()
    {
        var share = MachineShare.Of(1, 4, processors: 2, memory: 10L << 30, firstEphemeral: 32768);

        Assert.Equal(0.5, share.Cpu);
        Assert.Equal("2304m", share.Memory);
    }

    [Fact]
    public async Task ContextFile_TwoAppHosts_GetTheirOwnNames()
    {
        using var directory = new TemporaryDirectory();
        var path = Path.Combine(directory.Path, "new", "context.json");
        var file = new ContextFile(path);
        var cluster = new ClusterAddress("http://127.0.0.1:1", "http://127.0.0.1:2", "token", "pem");

        var names = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => Task.Run(() => file.AddAsync(cluster, default))));

        Assert.Equal(["default", "default-2", "default-3", "default-4", "default-5"], names.Select(name => name.Name).Order(StringComparer.Ordinal));
        Assert.Equal("default", Assert.Single(names, name => name.IsCurrent).Name);
        // The reader of the command line understands it.
        var read = Cluster.ClusterContextFile.Read(path)!;
        Assert.Equal("default", read.Current);
        var entry = read.Contexts["default-3"];
        Assert.Equal(("http://127.0.0.1:1", "http://127.0.0.1:2", "token", "pem", "default", Environment.ProcessId), (entry.Address, entry.Http, entry.Token, entry.ClusterKey, entry.Namespace, entry.Pid));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Path.GetDirectoryName(path)!));
        }
    }

    [Fact]
    public async Task ContextFile_Remove_LeavesOthersAndChoosesAnother()
    {
        using var directory = new TemporaryDirectory();
        var path = directory.File("context.json");
        var file = new ContextFile(path);
        var cluster = new ClusterAddress("a", "b", "c", "d");
        await file.AddAsync(cluster, default);
        await file.AddAsync(cluster, default);

        await file.RemoveAsync("default", default);

        var json = JsonNode.Parse(await File.ReadAllTextAsync(path))!;
        Assert.Equal("default-2", (string?)json["current"]);
        Assert.Equal(["default-2"], json["contexts"]!.AsObject().Select(entry => entry.Key));
        await file.RemoveAsync("default-2", default);
        Assert.Null((string?)JsonNode.Parse(await File.ReadAllTextAsync(path))!["current"]);
    }

    [Fact]
    public async Task ContextFile_EntriesOfOthers_AreKeptUnlessTheirAppHostIsGone()
    {
        using var directory = new TemporaryDirectory();
        var path = directory.File("context.json");
        // No process has this id; the second has one that started at another time; the third was made by a login.
        await File.WriteAllTextAsync(path, $$"""
            { "current": "default", "extra": 1, "contexts": {
              "default": { "address": "gone", "pid": 999999999 },
              "default-2": { "address": "also gone", "pid": {{Environment.ProcessId}}, "started": 12 },
              "default-3": { "address": "far away", "note": "mine" } } }
            """);
        var file = new ContextFile(path);
        var cluster = new ClusterAddress("a", "b", "c", "d");

        Assert.Equal(("default", true), await file.AddAsync(cluster, default));
        Assert.Equal(("default-2", false), await file.AddAsync(cluster, default));
        Assert.Equal(("default-4", false), await file.AddAsync(cluster, default));

        var json = JsonNode.Parse(await File.ReadAllTextAsync(path))!;
        Assert.Equal("mine", (string?)json["contexts"]!["default-3"]!["note"]);
        Assert.Equal(1, (int?)json["extra"]);
    }

    [Fact]
    public async Task ContextFile_NotJson_SaysWhatToDo()
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllTextAsync(directory.File("context.json"), "{");

        var error = await Assert.ThrowsAsync<Aspire.Hosting.DistributedApplicationException>(
            () => new ContextFile(directory.File("context.json")).AddAsync(new ClusterAddress("a", "b", "c", "d"), default));

        Assert.Contains("Repair or delete it", error.Message, StringComparison.Ordinal);
        Assert.Equal("{", await File.ReadAllTextAsync(directory.File("context.json")));
    }
}
