using System.Runtime.Versioning;

namespace Fluster.Tests;

/// <summary>A controller that cannot start says why in one line, and which setting it is.</summary>
[SupportedOSPlatform("linux")]
public class ControllerStartTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("Fluster__Controller__WorkerLostSeconds", "3", "Fluster:Controller:WorkerLostSeconds is 3")]
    [InlineData("Fluster__Controller__ClusterKey", "rubbish", "Fluster:Controller:ClusterKey: The cluster key must be an ECDSA P-256 key in PEM.")]
    [InlineData("Fluster__Controller__DataDirectory", " ", "Fluster:Controller:DataDirectory is empty")]
    [InlineData("Fluster__Controller__DataDirectory", "/proc/nowhere", "'/proc/nowhere' cannot be used as data directory")]
    public async Task WrongSetting_IsNamed(string name, string value, string expected)
    {
        using var directory = new TemporaryDirectory();
        await using var process = Start(directory, (name, value));

        await process.WaitForExitAsync(s_patience);

        Assert.Equal(1, process.ExitCode);
        Assert.Contains($"The controller cannot start: {expected}", process.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task DirectoryOrPortInUse_IsNamed()
    {
        await using var running = await ControllerProcess.StartAsync();
        using var directory = new TemporaryDirectory();
        await using var sameDirectory = Start(directory, ("Fluster__Controller__DataDirectory", running.DataDirectory));
        await using var samePort = Start(directory, ("Kestrel__Endpoints__grpc__Url", running.GrpcAddress));

        await sameDirectory.WaitForExitAsync(s_patience);
        await samePort.WaitForExitAsync(s_patience);

        Assert.Equal((1, 1), (sameDirectory.ExitCode, samePort.ExitCode));
        Assert.Contains("another controller holds it", sameDirectory.Output, StringComparison.Ordinal);
        Assert.Contains($"The controller cannot start: Failed to bind to address {running.GrpcAddress}", samePort.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task FirstStart_WithoutAKey_MakesOneAndAnAdminToken_ThatOnlyTheOwnerReads()
    {
        using var directory = new TemporaryDirectory();
        await using var process = Start(directory);
        await Eventually.True(() => File.Exists(directory.File("data/admin.token")), () => process.Output);

        foreach (var file in (string[])["data/admin.token", "data/cluster-key.pem"])
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(directory.File(file)));
        }
    }

    private static ServiceProcess Start(TemporaryDirectory directory, params (string Name, string Value)[] settings)
    {
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["HOME"] = directory.Path,
            ["Fluster__Controller__DataDirectory"] = directory.File("data"),
            ["Kestrel__Endpoints__grpc__Url"] = $"http://127.0.0.1:{FreePorts.Next()}",
            ["Kestrel__Endpoints__http__Url"] = $"http://127.0.0.1:{FreePorts.Next()}",
        };
        foreach (var (name, value) in settings)
        {
            environment[name] = value;
        }

        return ServiceProcess.Start("Fluster.Controller", environment, directory.Path);
    }
}
