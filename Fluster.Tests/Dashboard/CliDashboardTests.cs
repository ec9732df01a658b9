using System.Net;
using System.Text.Json;
using Fluster.Cli;

namespace Fluster.Tests;

/// <summary>The address that a command line gives to a browser.</summary>
public class CliDashboardTests
{
    [Fact]
    public async Task Dashboard_PrintsAnAddress_ThatLogsInOnce()
    {
        await using var controller = await ControllerProcess.StartAsync();
        using var directory = new TemporaryDirectory();
        var context = await CliProcess.WriteContextAsync(directory.Path, controller.GrpcAddress, controller.AdminToken);
        using var text = CliProcess.Start(context, "cluster", "dashboard");
        using var json = CliProcess.Start(context, "cluster", "dashboard", "--output", "json");
        Assert.True(await text.ExitAsync() == 0, text.Error);
        Assert.Equal(0, await json.ExitAsync());

        var url = text.Out.Trim();

        Assert.StartsWith(controller.HttpAddress + "/login?code=", url, StringComparison.Ordinal);
        Assert.DoesNotContain(controller.AdminToken.Split('.')[2], url, StringComparison.Ordinal);
        using var http = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false });
        using var first = await http.GetAsync(url);
        using var second = await new HttpClient(new HttpClientHandler { AllowAutoRedirect = false, UseCookies = false }).GetAsync(url);
        Assert.Equal((HttpStatusCode.SeeOther, "/"), (first.StatusCode, first.Headers.Location!.ToString()));
        Assert.Equal(HttpStatusCode.Unauthorized, second.StatusCode);
        Assert.Contains("This link has been used", await second.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var page = await http.GetAsync(controller.HttpAddress + "/jobs");
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);

        using var document = JsonDocument.Parse(json.Out);
        Assert.StartsWith(controller.HttpAddress, document.RootElement.GetProperty("url").GetString(), StringComparison.Ordinal);
        Assert.Equal(60, document.RootElement.GetProperty("seconds").GetDouble());
    }

    [Theory]
    [InlineData("http://127.0.0.1:7070", "http://127.0.0.1:7071", "http://127.0.0.1:7070")]
    [InlineData("https://[::]:7070", "https://cluster.example:7071", "https://cluster.example:7070")]
    [InlineData("http://0.0.0.0:7070/", "http://10.0.0.2:7071", "http://10.0.0.2:7070")]
    [InlineData("http://*:7070", "http://10.0.0.2:7071", "http://10.0.0.2:7070")]
    public void Pages_OfAControllerThatListensEverywhere_AreWhereItIsReached(string pages, string controller, string expected) =>
        Assert.Equal(expected, DashboardCommand.PagesOf(pages, controller));
}
