using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Playwright;

namespace Fluster.Tests;

/// <summary>The app model's dashboard as a person uses it, in a browser.</summary>
[Collection(BrowserCollection.Name)]
public class AppModelDashboardTests(Chromium chromium)
{
    static AppModelDashboardTests() => Assertions.SetDefaultExpectTimeout(Chromium.Patience);

    [BrowserFact]
    public async Task Pages_OfASmallApplication_DoWhatTheyAreFor()
    {
        using var directory = new TemporaryDirectory();
        string login;
        await using (var app = Small(directory))
        {
            await app.StartAsync();
            var link = await app.LoginLinkAsync();
            login = link.Query["?t=".Length..];
            await using var tab = await chromium.OpenAsync(link.GetLeftPart(UriPartial.Authority));
            await LogInByFormAsync(tab.Page, login);
            await app.WhenReadyAsync("api");
            await app.LineAsync("talker", line => line.Contains("needle", StringComparison.Ordinal));

            await ResourcesAsync(tab, app);
            await SecretsAsync(tab);
            await ConsoleAsync(tab, app);
            await TracesAsync(tab, app);
            await MetricsAsync(tab);

            // Light and dark, kept from page to page.
            await tab.Page.GetByRole(AriaRole.Button, new() { Name = "System colours" }).ClickAsync();
            await tab.Page.GotoAsync("/");
            await Assertions.Expect(tab.Page.Locator("html")).ToHaveAttributeAsync("data-theme", "dark");
            await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Log out" }).ClickAsync();
            await Assertions.Expect(tab.Page.GetByLabel("Token")).ToBeVisibleAsync();
            tab.AssertNoErrors();
        }

        await using var again = Small(directory);
        await again.StartAsync();
        var next = await again.LoginLinkAsync();
        Assert.Equal(login, next.Query["?t=".Length..]);
        await using var later = await chromium.OpenAsync(next.GetLeftPart(UriPartial.Authority));
        await EarlierRunAsync(later, next);
    }

    /// <summary>The AppHost of this repository, as "dotnet run" starts it.</summary>
    [BrowserFact]
    public async Task FlusterAppHost_ByItsLink_ShowsTheCluster()
    {
        using var directory = new TemporaryDirectory();
        var context = directory.File("context.json");
        await using var host = await AppHostProcess.StartFlusterAsync(directory.File("data"), context);
        Assert.Contains("Now listening on: http://", host.Output, StringComparison.Ordinal);
        var link = new Uri((await host.LineAsync(line => line.StartsWith("Login to the dashboard at ", StringComparison.Ordinal))).Split(' ')[^1]);
        await using var tab = await chromium.OpenAsync(link.GetLeftPart(UriPartial.Authority));
        var page = tab.Page;
        await page.GotoAsync(link.PathAndQuery);

        var worker = page.GetByRole(AriaRole.Row, new() { NameRegex = new("^worker-1 ") });
        await Assertions.Expect(worker).ToContainTextAsync("Healthy");
        await Assertions.Expect(worker.GetByText("Drain").First).ToBeVisibleAsync();
        await tab.AssertAccessibleAsync();
        await tab.AssertFitsPhoneAsync();
        await tab.ScreenshotAsync("apphost-cluster");

        // The controller has the cluster's key and sends its telemetry: the one is not to be seen, the other is.
        await page.GetByRole(AriaRole.Link, new() { Name = "controller", Exact = true }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Row, new() { NameRegex = new("^Fluster__Controller__ClusterKey ") })).ToContainTextAsync("secret");
        Assert.DoesNotContain("PRIVATE KEY", await page.ContentAsync(), StringComparison.Ordinal);
        using var job = CliProcess.Start(context, "job", "run", "--", "true");
        Assert.Equal(0, await job.ExitAsync());
        await page.GotoAsync("/traces?resource=controller");
        await Assertions.Expect(page.GetByRole(AriaRole.Rowheader).First).ToBeVisibleAsync();
        tab.AssertNoErrors();
    }

    private static TestApplication Small(TemporaryDirectory directory)
    {
        var app = TestApplication.WithDashboard(directory);
        var secret = app.Builder.AddParameter("pass", "hush-hush-42", secret: true);
        app.AddProbeService("api");
        app.AddScript("talker", "echo 'a needle in <hay>'; echo trouble >&2; i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.2; done")
            .WithEnvironment("PLAIN", "to be seen").WithEnvironment("HIDDEN", secret)
            .WithCommand("drop", "Drop", _ => Task.FromResult(CommandResults.Success("Dropped it.")), new CommandOptions { ConfirmationMessage = "Drop what it has?" });
        return app;
    }

    private static async Task LogInByFormAsync(IPage page, string token)
    {
        await page.GotoAsync("/console?resource=talker");
        await page.GetByLabel("Token").FillAsync("wrong");
        await page.GetByRole(AriaRole.Button, new() { Name = "Log in" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("not the token");
        await page.GetByLabel("Token").FillAsync(token);
        await page.GetByRole(AriaRole.Button, new() { Name = "Log in" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Console", Exact = true })).ToBeVisibleAsync(); // what was asked for first
        Assert.DoesNotContain(token, page.Url, StringComparison.Ordinal);
    }

    private static async Task ResourcesAsync(BrowserTab tab, TestApplication app)
    {
        var page = tab.Page;
        tab.ForgetErrors(); // the answer to the wrong token
        await page.GotoAsync("/");
        var api = page.GetByRole(AriaRole.Row, new() { NameRegex = new("^api ") });
        await Assertions.Expect(api).ToContainTextAsync("Running");
        await Assertions.Expect(api).ToContainTextAsync("Healthy");
        await Assertions.Expect(api.GetByRole(AriaRole.Link, new() { Name = app.Running.GetEndpoint("api", "http").ToString().TrimEnd('/') }).First).ToBeVisibleAsync();
        await tab.AssertAccessibleAsync();
        await tab.AssertFitsPhoneAsync();
        await tab.ScreenshotAsync("apphost-resources");

        // Stopped and started, and seen without a reload.
        var talker = page.GetByRole(AriaRole.Row, new() { NameRegex = new("^talker ") });
        await page.EvaluateAsync("() => { window.loadedOnce = true; }");
        await app.Running.ResourceCommands.ExecuteCommandAsync("talker", KnownResourceCommands.StopCommand);
        await Assertions.Expect(talker).ToContainTextAsync("Exited");
        Assert.True(await page.EvaluateAsync<bool>("() => window.loadedOnce === true"));
        await talker.GetByRole(AriaRole.Button, new() { Name = "Start talker", Exact = true }).ClickAsync();
        await Assertions.Expect(talker).ToContainTextAsync("Running");

        // A question first, for a command that has one.
        await talker.Locator("summary").ClickAsync();
        await Assertions.Expect(talker).ToContainTextAsync("Drop what it has?");
        await talker.Locator("form button.danger").ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Status).First).ToContainTextAsync("Dropped it.");
    }

    private static async Task SecretsAsync(BrowserTab tab)
    {
        var page = tab.Page;
        await page.GetByRole(AriaRole.Link, new() { Name = "talker", Exact = true }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "talker", Exact = true })).ToBeVisibleAsync();
        var plain = page.Locator("tr", new() { HasText = "PLAIN" });
        await Assertions.Expect(plain.GetByText("to be seen")).ToBeHiddenAsync();
        await plain.Locator("summary").ClickAsync();
        await Assertions.Expect(plain.GetByText("to be seen")).ToBeVisibleAsync();
        await Assertions.Expect(page.Locator("tr", new() { HasText = "HIDDEN" })).ToContainTextAsync("secret");
        Assert.DoesNotContain("hush-hush-42", await page.ContentAsync(), StringComparison.Ordinal);
        await tab.AssertAccessibleAsync();
        await tab.AssertFitsPhoneAsync();
    }

    private static async Task ConsoleAsync(BrowserTab tab, TestApplication app)
    {
        var page = tab.Page;
        await page.GetByRole(AriaRole.Navigation, new() { Name = "Pages", Exact = true }).GetByRole(AriaRole.Link, new() { Name = "Console" }).ClickAsync();
        var log = page.GetByRole(AriaRole.Log);
        await Assertions.Expect(log).ToContainTextAsync("a needle in <hay>"); // of all, interleaved
        await Assertions.Expect(log).ToContainTextAsync("Application started");
        var ticks = await log.GetByText("tick ").CountAsync();
        await Assertions.Expect(log.GetByText("tick ").Nth(ticks + 2)).ToBeAttachedAsync(); // it goes on by itself
        await page.GetByLabel("Resource").SelectOptionAsync("talker");
        await Assertions.Expect(log).Not.ToContainTextAsync("Application started");
        await page.GetByLabel("Search").FillAsync("NEEDLE");
        await page.GetByRole(AriaRole.Button, new() { Name = "Search" }).ClickAsync();
        await Assertions.Expect(log.Locator("mark").First).ToHaveTextAsync("needle");
        await Assertions.Expect(log).Not.ToContainTextAsync("tick");
        await tab.AssertAccessibleAsync();
        await tab.AssertFitsPhoneAsync();
        var download = await page.RunAndWaitForDownloadAsync(() => page.GetByRole(AriaRole.Link, new() { Name = "Download" }).ClickAsync());
        Assert.Equal("talker.log", download.SuggestedFilename);
        await page.GotoAsync("/console");
        await tab.ScreenshotAsync("apphost-console");
    }

    private static async Task TracesAsync(BrowserTab tab, TestApplication app)
    {
        using var client = app.Running.CreateHttpClient("api");
        await client.GetStringAsync("/name");
        using var missing = await client.GetAsync($"/call?address={client.BaseAddress}missing");
        var page = tab.Page;
        await page.GetByRole(AriaRole.Navigation, new() { Name = "Pages", Exact = true }).GetByRole(AriaRole.Link, new() { Name = "Traces" }).ClickAsync();
        var trace = page.GetByRole(AriaRole.Link, new() { Name = "GET /call" });
        await Assertions.Expect(trace).ToBeVisibleAsync(); // when it has arrived, without a reload
        await tab.AssertAccessibleAsync();
        await tab.AssertFitsPhoneAsync();
        await page.GetByLabel("With errors only").CheckAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Link, new() { Name = "GET /name" })).ToHaveCountAsync(0);
        await trace.ClickAsync();
        await page.Locator(".waterfall .wf-name").First.ClickAsync();
        await Assertions.Expect(page.Locator("#span")).ToContainTextAsync("/call");
        await tab.AssertAccessibleAsync();
        await tab.AssertFitsPhoneAsync();
        await tab.ScreenshotAsync("apphost-trace");
        await page.GetByRole(AriaRole.Link, new() { Name = "Logs of this trace" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Row).Nth(1)).ToContainTextAsync("api");
        await tab.AssertAccessibleAsync();
        await tab.AssertFitsPhoneAsync();
    }

    private static async Task MetricsAsync(BrowserTab tab)
    {
        var page = tab.Page;
        await page.GetByRole(AriaRole.Navigation, new() { Name = "Pages", Exact = true }).GetByRole(AriaRole.Link, new() { Name = "Metrics" }).ClickAsync();
        await Assertions.Expect(page.GetByText("http.server.request.duration").First).ToBeVisibleAsync();
        await tab.AssertAccessibleAsync();
        await tab.AssertFitsPhoneAsync();
    }

    private static async Task EarlierRunAsync(BrowserTab tab, Uri link)
    {
        var page = tab.Page;
        await page.GotoAsync(link.PathAndQuery);
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Resources" })).ToBeVisibleAsync();
        Assert.Equal("/", new Uri(page.Url).PathAndQuery); // the token is not in the address any more
        await page.GetByLabel("Run", new() { Exact = true }).SelectOptionAsync(new SelectOptionValue { Index = 1 });
        await Assertions.Expect(page.GetByText("This is what an earlier run has left")).ToBeVisibleAsync();
        await page.GetByLabel("Search").FillAsync("needle");
        await page.GetByRole(AriaRole.Button, new() { Name = "Search" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Log).Locator("mark").First).ToHaveTextAsync("needle");
        await tab.AssertAccessibleAsync();
        await page.GetByRole(AriaRole.Navigation, new() { Name = "Pages", Exact = true }).GetByRole(AriaRole.Link, new() { Name = "Traces" }).ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "GET /call" }).ClickAsync();
        await Assertions.Expect(page.Locator(".waterfall .wf-name").First).ToContainTextAsync("GET /call");
        tab.AssertNoErrors();
    }
}
