using System.Net;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dashboard;
using Microsoft.Extensions.DependencyInjection;

namespace Fluster.Tests;

/// <summary>The dashboard without a browser: who is let in, what is said and what is not.</summary>
public class DashboardTests
{
    [Fact]
    public async Task Login_LinkFormAndWrongToken_LetInWhoKnowsIt()
    {
        using var directory = new TemporaryDirectory();
        await using var app = TestApplication.WithDashboard(directory);
        await app.StartAsync();
        var link = await app.LoginLinkAsync();
        using var client = Client(link);

        using var stranger = await client.GetAsync("/resources/x?a=b");
        Assert.Equal((HttpStatusCode.Redirect, "/login?returnUrl=%2Fresources%2Fx%3Fa%3Db"), (stranger.StatusCode, stranger.Headers.Location?.OriginalString));
        using var wrong = await client.GetAsync("/login?t=wrong");
        Assert.Equal(HttpStatusCode.Unauthorized, wrong.StatusCode);
        Assert.Contains("is not the one of this AppHost", await wrong.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.False(wrong.Headers.Contains("Set-Cookie"));

        using var right = await client.GetAsync(link.PathAndQuery);
        Assert.Equal((HttpStatusCode.Redirect, "/"), (right.StatusCode, right.Headers.Location?.OriginalString));
        var cookie = Assert.Single(right.Headers.GetValues("Set-Cookie"));
        Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("samesite=strict", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("secure", cookie, StringComparison.OrdinalIgnoreCase); // it is plain http, and has to work there
        using var page = await client.GetAsync("/");
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
        Assert.StartsWith("default-src 'self';", page.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);

        using var other = Client(link);
        using var form = new FormUrlEncodedContent([new("token", link.Query["?t=".Length..]), new("returnUrl", "//evil.example/")]);
        using var byForm = await other.PostAsync("/login", form);
        Assert.Equal("/", byForm.Headers.Location?.OriginalString); // never to another site
        using var foreign = new HttpRequestMessage(HttpMethod.Post, "/resources/x/commands/stop") { Headers = { { "Origin", "http://localhost:1" } } };
        using var refused = await other.SendAsync(foreign);
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
    }

    [Fact]
    public async Task Pages_WithoutALogin_AreNotShown()
    {
        using var directory = new TemporaryDirectory();
        await using var app = TestApplication.WithDashboard(directory);
        await app.StartAsync();
        var link = await app.LoginLinkAsync();
        using var client = Client(link);

        foreach (var path in (string[])["/", "/resources/x", "/console", "/console/lines?after=0", "/console/download", "/traces", "/traces/x", "/logs", "/metrics", "/no-such-page"])
        {
            using var answer = await client.GetAsync(path);
            Assert.Equal((path, HttpStatusCode.Redirect), (path, answer.StatusCode));
            Assert.StartsWith("/login?", answer.Headers.Location!.OriginalString, StringComparison.Ordinal);
        }

        using var command = await client.PostAsync("/resources/x/commands/stop", content: null);
        Assert.Equal(HttpStatusCode.Redirect, command.StatusCode);
        using var forged = new HttpRequestMessage(HttpMethod.Get, "/") { Headers = { { "Cookie", "apphost-00000000=9999999999.00" } } };
        using var refused = await client.SendAsync(forged);
        Assert.Equal(HttpStatusCode.Redirect, refused.StatusCode);
    }

    /// <summary>Browsers keep a strict cookie back from the redirect that follows a link on another site, and the login would begin again.</summary>
    [Fact]
    public async Task Login_ByALinkOnAnotherSite_GoesOnFromAPageOfItsOwn()
    {
        using var directory = new TemporaryDirectory();
        await using var app = TestApplication.WithDashboard(directory);
        await app.StartAsync();
        var link = await app.LoginLinkAsync();
        using var client = Client(link);

        using var request = new HttpRequestMessage(HttpMethod.Get, link.PathAndQuery) { Headers = { { "Sec-Fetch-Site", "cross-site" } } };
        using var answer = await client.SendAsync(request);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Contains("content=\"0;url=/\"", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.True(answer.Headers.Contains("Set-Cookie"));
    }

    [Fact]
    public void Login_ManyWrongTokens_EvenTheRightOneHasToWait()
    {
        var time = new ShiftedTime();
        var login = new BrowserLogin("right", "x", time);
        Assert.All(Enumerable.Range(0, 20), _ => Assert.False(login.Accepts("wrong")));
        Assert.False(login.Accepts("right"));
        time.Advance(TimeSpan.FromMinutes(1));
        Assert.True(login.Accepts("right"));
    }

    [Fact]
    public async Task Login_AfterARestart_IsStillThere()
    {
        using var directory = new TemporaryDirectory();
        var cookies = new CookieContainer();
        await using (var first = TestApplication.WithDashboard(directory))
        {
            await first.StartAsync();
            var link = await first.LoginLinkAsync();
            using var client = Client(link, cookies);
            await client.GetAsync(link.PathAndQuery);
        }

        if (!OperatingSystem.IsWindows())
        {
            var kept = Assert.Single(Directory.GetFiles(directory.Path, "browser-token", SearchOption.AllDirectories));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(kept));
        }

        await using var second = TestApplication.WithDashboard(directory);
        await second.StartAsync();
        using var again = Client(await second.LoginLinkAsync(), cookies);
        using var page = await again.GetAsync("/");
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
    }

    [Fact]
    public async Task Resource_WithSecrets_ShowsOnlyWhatIsNone()
    {
        using var directory = new TemporaryDirectory();
        await using var app = TestApplication.WithDashboard(directory, "--Parameters:pass=hush-hush-42", "--ASPIRE_DASHBOARD_FRONTEND_BROWSERTOKEN=chosen");
        var pass = app.Builder.AddParameter("pass", secret: true);
        app.AddScript("script", "sleep 600")
            .WithEnvironment("PLAIN", "to be seen")
            .WithEnvironment("HIDDEN", pass)
            .WithEnvironment("INSIDE", ReferenceExpression.Create($"a={pass};b=1"))
            .WithEnvironment("API_KEY", "by-its-name")
            .WithEnvironment("CONNECTION", "host:1,password=by-its-form");
        await app.StartAsync();
        var link = await app.LoginLinkAsync();
        Assert.Equal("?t=chosen", link.Query);
        using var client = Client(link);
        await client.GetAsync(link.PathAndQuery);
        await app.WhenReadyAsync("script");

        var html = await client.GetStringAsync("/resources/script");

        Assert.Contains("to be seen", html, StringComparison.Ordinal);
        Assert.All(["HIDDEN", "INSIDE", "API_KEY", "CONNECTION"], name => Assert.Contains(name, html, StringComparison.Ordinal));
        Assert.All(["hush-hush-42", "by-its-name", "by-its-form"], secret => Assert.DoesNotContain(secret, html, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Command_WithAQuestion_RunsOnlyWhenItIsAnswered()
    {
        using var directory = new TemporaryDirectory();
        await using var app = TestApplication.WithDashboard(directory);
        var runs = 0;
        app.AddScript("script", "sleep 600").WithCommand("drop", "Drop", _ => Task.FromResult(CommandResults.Success($"dropped {++runs}")), new CommandOptions { ConfirmationMessage = "Really?" });
        await app.StartAsync();
        var link = await app.LoginLinkAsync();
        using var client = Client(link);
        await client.GetAsync(link.PathAndQuery);
        await app.WhenReadyAsync("script");

        using var unasked = await client.PostAsync("/resources/script/commands/drop", new FormUrlEncodedContent([]));
        Assert.Equal((HttpStatusCode.Conflict, 0), (unasked.StatusCode, runs));
        using var asked = await client.PostAsync("/resources/script/commands/drop", new FormUrlEncodedContent([new("confirmed", "1"), new("return", "/resources/script")]));
        Assert.Equal((HttpStatusCode.Redirect, "/resources/script"), (asked.StatusCode, asked.Headers.Location?.OriginalString));
        await Eventually.True(async () => (await client.GetStringAsync("/")).Contains("dropped 1", StringComparison.Ordinal), () => "the command's answer is shown");
    }

    [Fact]
    public async Task Address_Taken_DashboardIsElsewhereAndSaysSo()
    {
        using var directory = new TemporaryDirectory();
        await using var first = TestApplication.WithDashboard(directory);
        await first.StartAsync();
        var taken = (await first.LoginLinkAsync()).Port;

        await using var second = TestApplication.WithDashboard(directory, $"--ASPNETCORE_URLS=http://127.0.0.1:{taken}");
        await second.StartAsync();

        var link = await second.LoginLinkAsync();
        Assert.NotEqual(taken, link.Port);
        Assert.NotEqual((await first.LoginLinkAsync()).Query, link.Query); // a directory, and a token, of its own
    }

    [Fact]
    public async Task TestingBuilder_HasNoDashboard()
    {
        await using var builder = Aspire.Hosting.Testing.DistributedApplicationTestingBuilder.Create();
        await using var app = await builder.BuildAsync();
        await app.StartAsync();

        Assert.Null(await app.Services.GetRequiredService<DashboardServer>().Otlp);
    }

    [Theory]
    [InlineData("http://localhost:15888", true)]
    [InlineData("http://127.0.0.1:1", true)]
    [InlineData("http://*:80", false)]
    [InlineData("http://0.0.0.0:80", false)]
    [InlineData("http://[::1]:80", true)]
    public void ListenAddress_Loopback_IsKnown(string text, bool isLoopback) => Assert.Equal(isLoopback, ListenAddress.Parse(text).IsLoopback);

    [Fact]
    public void ListenAddress_NoAddress_SaysWhatToGive() =>
        Assert.Contains("http://localhost:15888", Assert.Throws<DistributedApplicationException>(() => ListenAddress.Parse("15888")).Message, StringComparison.Ordinal);

    internal static HttpClient Client(Uri link, CookieContainer? cookies = null) =>
        new(new HttpClientHandler { AllowAutoRedirect = false, CookieContainer = cookies ?? new CookieContainer() }) { BaseAddress = new Uri(link.GetLeftPart(UriPartial.Authority)) };
}
