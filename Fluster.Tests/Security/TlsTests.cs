using System.Runtime.Versioning;
using System.Text.Json;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Off the loopback: TLS with a certificate that everybody knows by its hash, or somebody's word that it need not be.</summary>
[SupportedOSPlatform("linux")]
public class TlsTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("http://0.0.0.0")]
    [InlineData("http://*")]
    [InlineData("http://[::]")]
    [InlineData("http://some-host")]
    public async Task PlainEndpoint_OffLoopback_IsRefusedNamingBothWays(string url)
    {
        using var directory = new TemporaryDirectory();
        await using var process = Start(directory, $"{url}:{FreePorts.Next()}", Local());

        await process.WaitForExitAsync(s_patience);

        Assert.Equal(1, process.ExitCode);
        Assert.Contains("The controller cannot start: Kestrel:Endpoints:grpc:Url is", process.Output, StringComparison.Ordinal);
        Assert.Contains("Make it https", process.Output, StringComparison.Ordinal);
        Assert.Contains("Fluster:Controller:AllowPlainHttp", process.Output, StringComparison.Ordinal);
        Assert.False(File.Exists(directory.File("data/state.db")), "It had begun before it refused.");
    }

    [Fact]
    public async Task PlainEndpoint_OffLoopback_IsServedWhenTheOwnerAllowsIt()
    {
        using var directory = new TemporaryDirectory();
        var port = FreePorts.Next();
        await using var process = Start(directory, $"http://0.0.0.0:{port}", Local(), ("Fluster__Controller__AllowPlainHttp", "true"));
        var token = await AdminTokenAsync(directory, process);

        await using var client = await FlusterClient.ConnectAsync(new FlusterClientOptions { Address = $"http://127.0.0.1:{port}", Token = token });

        Assert.Null(TokenClaims.ReadUnchecked(token)!.CertificateHash);
    }

    [Fact]
    public async Task OwnCertificate_IsPinnedByTokens_ForClientsWorkersJobsAndTheCommandLine()
    {
        using var directory = new TemporaryDirectory();
        var address = $"https://127.0.0.1:{FreePorts.Next()}";
        var grpc = new Uri(address).Port;
        await using var controller = Start(directory, $"https://0.0.0.0:{grpc}", $"https://0.0.0.0:{FreePorts.Next()}");
        var token = await AdminTokenAsync(directory, controller);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(directory.File("data/tls.pem")));
        var hash = TokenClaims.ReadUnchecked(token)!.CertificateHash;
        Assert.Equal(64, hash?.Length);

        // The command line keeps it; the file is the user's alone.
        var context = directory.File("home/context.json");
        using var login = CliProcess.Start(context, "login", address, "--token", token);
        Assert.True(await login.ExitAsync() == 0, login.Error);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(context));
        using var json = JsonDocument.Parse(await File.ReadAllTextAsync(context));
        Assert.Equal(hash, json.RootElement.GetProperty("contexts").GetProperty("127.0.0.1").GetProperty("certificate").GetString());

        // A worker that has a token of the cluster joins, and its job calls back.
        using var key = ClusterKey.Parse(await File.ReadAllTextAsync(directory.File("data/cluster-key.pem")));
        var workerToken = key.Sign(new TokenClaims { Role = TokenRoles.Worker, Worker = "w1", CertificateHash = hash, ExpiresAt = long.MaxValue / 2 });
        await using var worker = StartWorker(directory, address, workerToken);
        using var run = CliProcess.Start(context, "job", "run", "--", "dotnet", CliProcess.Program, "job", "list");
        Assert.True(await run.ExitAsync() == 0, run.Error + worker.Output + controller.Output);
        Assert.Contains("Running", run.Out, StringComparison.Ordinal);

        // Who expects another certificate, or knows of none, does not speak to it.
        var stranger = key.Sign(new TokenClaims { Role = TokenRoles.Admin, Namespace = "default", CertificateHash = new string('0', 64), ExpiresAt = long.MaxValue / 2 });
        var unpinned = key.Sign(new TokenClaims { Role = TokenRoles.Admin, Namespace = "default", ExpiresAt = long.MaxValue / 2 });
        foreach (var wrong in (string[])[stranger, unpinned])
        {
            var refusal = await Assert.ThrowsAsync<ClusterException>(() => FlusterClient.ConnectAsync(new FlusterClientOptions { Address = address, Token = wrong }));
            Assert.True(refusal.Message.Contains("another certificate", StringComparison.Ordinal), refusal.ToString());
        }

        await using var told = await FlusterClient.ConnectAsync(new FlusterClientOptions { Address = address, Token = unpinned, CertificateHash = hash });
    }

    private static string Local() => $"http://127.0.0.1:{FreePorts.Next()}";

    private static async Task<string> AdminTokenAsync(TemporaryDirectory directory, ServiceProcess process)
    {
        await Eventually.True(() => File.Exists(directory.File("data/admin.token")), () => process.Output);
        await Eventually.True(() => process.Output.Contains("Application started", StringComparison.Ordinal), () => process.Output); // and listens
        return await File.ReadAllTextAsync(directory.File("data/admin.token"));
    }

    private static ServiceProcess Start(TemporaryDirectory directory, string grpc, string http, params (string Name, string Value)[] settings)
    {
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["HOME"] = directory.Path,
            ["Fluster__Controller__DataDirectory"] = directory.File("data"),
            ["Kestrel__Endpoints__grpc__Url"] = grpc,
            ["Kestrel__Endpoints__http__Url"] = http,
        };
        foreach (var (name, value) in settings)
        {
            environment[name] = value;
        }

        return ServiceProcess.Start("Fluster.Controller", environment, directory.Path);
    }

    private static ServiceProcess StartWorker(TemporaryDirectory directory, string address, string token) => ServiceProcess.Start(
        "Fluster.Worker",
        new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["HOME"] = directory.Path,
            ["Fluster__Worker__Id"] = "w1",
            ["Fluster__Worker__Token"] = token,
            ["Fluster__Worker__DataDirectory"] = directory.File("worker"),
            ["Fluster__Worker__ControllerAddress"] = address,
            ["Fluster__Worker__Cpu"] = "4",
            ["Fluster__Worker__Memory"] = "4g",
            ["Fluster__Worker__PortRange"] = "10000-20000",
        },
        directory.Path);
}
