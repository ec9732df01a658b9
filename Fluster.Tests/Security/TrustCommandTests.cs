using System.Runtime.Versioning;
using System.Text.Json;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>The commands about tokens: <c>login</c> and <c>namespace revoke</c>.</summary>
[SupportedOSPlatform("linux")]
public class TrustCommandTests
{
    [Fact]
    public async Task Login_KeepsOthersContexts_AndRevocationEndsIt()
    {
        await using var controller = await ControllerProcess.StartAsync();
        using var directory = new TemporaryDirectory();
        var context = directory.File("home/context.json");
        var admin = await CliProcess.WriteContextAsync(directory.Path, controller.GrpcAddress, controller.AdminToken);
        Directory.CreateDirectory(directory.File("home"));
        await File.WriteAllTextAsync(context, """{"current":"old","contexts":{"old":{"address":"http://127.0.0.1:1","more":7}}}""");
        var token = controller.Sign(new TokenClaims { Role = TokenRoles.Service, Namespace = "team", ExpiresAt = 0 });

        using var login = CliProcess.Start(context, "login", controller.GrpcAddress, "--token", token, "--name", "mine");
        Assert.True(await login.ExitAsync() == 0, login.Error);
        using var file = JsonDocument.Parse(await File.ReadAllTextAsync(context));
        var contexts = file.RootElement.GetProperty("contexts");
        Assert.Equal("mine", file.RootElement.GetProperty("current").GetString());
        Assert.Equal(7, contexts.GetProperty("old").GetProperty("more").GetInt32());
        Assert.Equal(("team", controller.HttpAddress), (contexts.GetProperty("mine").GetProperty("namespace").GetString(), contexts.GetProperty("mine").GetProperty("http").GetString()));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(context));
        Assert.DoesNotContain(token, login.Out + login.Error, StringComparison.Ordinal);
        using var list = CliProcess.Start(context, "job", "list");
        Assert.Equal(0, await list.ExitAsync());

        using var forbidden = CliProcess.Start(context, "namespace", "revoke", "team");
        Assert.Equal(125, await forbidden.ExitAsync());
        Assert.Contains("A token of the role 'service' does not allow", forbidden.Error, StringComparison.Ordinal);
        using var revoke = CliProcess.Start(admin, "namespace", "revoke", "team");
        Assert.True(await revoke.ExitAsync() == 0, revoke.Error);
        Assert.StartsWith("Tokens of namespace team that were issued before ", revoke.Out, StringComparison.Ordinal);

        using var after = CliProcess.Start(context, "job", "list");
        Assert.Equal(125, await after.ExitAsync());
        Assert.Contains("were revoked: ask for a new one", after.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("garbage", "does not accept the token")]
    [InlineData("", "token")]
    public async Task Login_WithATokenThatDoesNotWork_KeepsNothing(string token, string says)
    {
        await using var controller = await ControllerProcess.StartAsync();
        using var directory = new TemporaryDirectory();
        var context = directory.File("context.json");

        using var login = CliProcess.Start(context, "login", controller.GrpcAddress, "--token", token.Length == 0 ? "-" : token);

        Assert.Equal(125, await login.ExitAsync());
        Assert.Contains(says, login.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(context));
    }

    [Fact]
    public async Task Client_OfAJob_RenewsItsTokenInHalfItsLife()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var worker = await FakeWorker.ConnectAsync(controller);
        await using var admin = controller.Client();
        var job = await admin.SubmitAsync(new JobRequest { Name = "job", Entrypoint = JobEntrypoint.Command("true") });
        var attempt = await worker.WaitForAttemptAsync(job.Id.ToString());
        var given = TokenClaims.ReadUnchecked(attempt.Spec.Token)!;
        var shortLived = controller.Sign(given, TimeSpan.FromSeconds(4));

        await using var client = new FlusterClient(new FlusterClientOptions { Address = controller.GrpcAddress, Token = shortLived });
        Assert.Equal(shortLived, client.Token);
        await Eventually.True(() => client.Token != shortLived, () => "The token is the first one.");

        var renewed = TokenClaims.ReadUnchecked(client.Token!)!;
        Assert.Equal((given.Role, given.Fence, given.Job), (renewed.Role, renewed.Fence, renewed.Job));
        Assert.True(renewed.ExpiresAt - renewed.IssuedAt == 24 * 60 * 60, "It lasts a day.");
        await client.GetStatusAsync(job.Id);
    }
}
