using System.Globalization;
using System.Text.RegularExpressions;
using Fluster.Actors;
using Fluster.Cluster;
using Microsoft.Playwright;
using Xunit.Abstractions;
using static Microsoft.Playwright.Assertions;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>The cluster's dashboard in a browser, on a real cluster: what somebody does there who wants to know what it does and why.</summary>
[Collection(BrowserCollection.Name)]
public sealed class ClusterDashboardTests(Chromium chromium, SharedCluster shared, ITestOutputHelper output) : IClassFixture<SharedCluster>
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(120);

    [BrowserFact]
    public async Task Job_IsWatchedFromPendingToItsEnd_WithoutAReload()
    {
        await using var cluster = await TestCluster.StartAsync(workers: 0);
        using var directory = new TemporaryDirectory();
        var go = directory.File("go");
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash(
            $"for i in $(seq 1 300); do echo \"step $i of 300, loss 0.$((1000 - i))\"; done; echo 'a needle in the log' >&2; while [ ! -e {go} ]; do sleep 0.05; done; echo done", "train"));
        await using var tab = await LoginAsync(cluster.Controller, $"/job?id={job.Id}");
        var page = tab.Page;
        await page.EvaluateAsync("() => window.notReloaded = true");

        await Expect(StateOf(page)).ToHaveTextAsync("Pending");
        await Expect(page.Locator("#explanation")).ToContainTextAsync("No worker is connected.");
        await Expect(page.Locator("#explanation")).ToContainTextAsync("Why it waits");
        await cluster.AddWorkerAsync();
        await Expect(StateOf(page)).ToHaveTextAsync("Running");
        await Expect(page.Locator(".log")).ToContainTextAsync("step 300 of 300");
        await page.GetByLabel("Search").FillAsync("needle");
        await Expect(page.Locator(".log-line")).ToHaveCountAsync(1);
        await Expect(page.Locator(".log mark")).ToHaveTextAsync("needle");
        await Expect(page.Locator("[data-log-status]")).ToHaveTextAsync("1 line has it");
        await tab.AssertAccessibleAsync();
        await page.GetByLabel("Search").FillAsync("");
        await Expect(page.Locator(".log")).ToContainTextAsync("step 300 of 300");
        await tab.ScreenshotAsync("dashboard-job");
        await File.WriteAllTextAsync(go, "");
        await Expect(StateOf(page)).ToHaveTextAsync("Succeeded");
        await Expect(page.Locator(".log")).ToContainTextAsync("done");
        Assert.True(await page.EvaluateAsync<bool>("() => window.notReloaded === true"));
        tab.AssertNoErrors();
    }

    [BrowserFact]
    public async Task Login_RefusesAWrongToken_AndTheSchemeIsKept()
    {
        await using var controller = await ControllerProcess.StartAsync();
        await using var tab = await chromium.OpenAsync(controller.HttpAddress, ColorScheme.Light);
        var page = tab.Page;
        await page.GotoAsync("/jobs");
        await tab.AssertAccessibleAsync();
        await tab.AssertFitsPhoneAsync();
        tab.AssertNoErrors();

        await page.GetByLabel("Token").FillAsync("not-a-token");
        await page.GetByRole(AriaRole.Button, new() { Name = "Log in" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("This token does not open the dashboard");
        tab.ForgetErrors(); // the browser writes every answer that is an error to its console
        await page.GetByLabel("Token").FillAsync(controller.AdminToken);
        await page.GetByRole(AriaRole.Button, new() { Name = "Log in" }).ClickAsync();

        await Expect(page).ToHaveURLAsync(controller.HttpAddress + "/jobs");
        await page.GetByRole(AriaRole.Button, new() { Name = "System colours" }).ClickAsync();
        await page.ReloadAsync();
        await Expect(page.Locator("html")).ToHaveAttributeAsync("data-theme", "dark");
        await page.GetByRole(AriaRole.Button, new() { Name = "Log out" }).ClickAsync();
        await Expect(page).ToHaveURLAsync(controller.HttpAddress + "/login");
        tab.AssertNoErrors();
    }

    [BrowserFact]
    public async Task EveryPage_IsAccessible_InBothSchemes_AndOnAPhone()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.Client.EndpointRegistry.ListAsync(Namespace.Default, "");
        var ended = await cluster.Client.SubmitAsync(TestCluster.Bash("echo out; echo err >&2; exit 3", "evaluate"));
        await ended.WaitAsync(s_patience);
        var large = await cluster.Client.SubmitAsync(TestCluster.Bash("true", "pretrain") with { Resources = ResourceSpec.WithCpu(5_000) });
        var runs = await cluster.Client.SubmitAsync(TestCluster.Bash("echo begun; sleep 600", "rollouts") with { Replicas = 2, Resources = ResourceSpec.WithCpu(0.1) });
        await Eventually.True(async () => (await cluster.Client.GetStatusAsync(runs.Id)).State == JobState.Running, () => "the job does not run");
        await using var registration = await cluster.Client.EndpointRegistry.OpenRegistrationAsync();
        await registration.RegisterAsync("service", "http://127.0.0.1:1", new Dictionary<string, string>(StringComparer.Ordinal) { ["color"] = "blue" });
        await using var tab = await LoginAsync(cluster.Controller, "/");

        foreach (var path in (string[])[
            "/", "/jobs", "/jobs?state=Failed", "/jobs?name=nothing", $"/job?id={ended.Id}", $"/job?id={large.Id}", $"/job?id={runs.Id}", "/workers", "/worker?id=worker-1", "/vms", "/endpoints", "/actions", "/actions?kind=job_failed"])
        {
            await tab.Page.GotoAsync(path);
            await tab.AssertAccessibleAsync();
            await tab.AssertFitsPhoneAsync();
            await tab.ScreenshotAsync("dashboard-" + path switch { "/" => "overview", "/worker?id=worker-1" => "worker", _ => "" });
            tab.AssertNoErrors();
        }

        await tab.Page.GotoAsync("/endpoints");
        await tab.Page.GetByRole(AriaRole.Link, new() { Name = "service" }).ClickAsync();
        await Expect(tab.Page.Locator("main")).ToContainTextAsync("did not say which methods it has");
        await tab.AssertAccessibleAsync();
        tab.AssertNoErrors();

        await tab.Page.GotoAsync("/job?id=nobody-12345678");
        await Expect(tab.Page.GetByRole(AriaRole.Alert)).ToContainTextAsync("There is no job 'nobody-12345678'");
        await tab.AssertAccessibleAsync();
    }

    [BrowserFact]
    public async Task Job_IsStopped_AndAWorkerDrained_AfterAQuestion()
    {
        await using var cluster = await TestCluster.StartAsync();
        var job = await cluster.Client.SubmitAsync(TestCluster.Bash("sleep 600", "endless"));
        await using var tab = await LoginAsync(cluster.Controller, $"/job?id={job.Id}");
        var page = tab.Page;
        await Expect(StateOf(page)).ToHaveTextAsync("Running");

        var stop = page.Locator("summary", new() { HasText = "Stop" });
        await stop.FocusAsync();
        await page.Keyboard.PressAsync("Enter"); // by keyboard, as everything
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Stop the job" })).ToBeVisibleAsync();
        await page.Keyboard.PressAsync("Escape");
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Stop the job" })).ToBeHiddenAsync();
        await stop.ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Stop the job" }).ClickAsync();
        await Expect(StateOf(page)).ToHaveTextAsync("Killed");
        await Expect(stop).ToBeHiddenAsync();
        Assert.Equal(JobState.Killed, (await cluster.Client.GetStatusAsync(job.Id)).State);

        await page.GotoAsync("/workers");
        await page.GetByRole(AriaRole.Link, new() { Name = "worker-1" }).ClickAsync();
        await Expect(page.Locator("svg.chart").First).ToHaveAttributeAsync("aria-label", CpuLabel);
        await page.Locator("summary", new() { HasText = "Drain" }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Drain the worker" }).ClickAsync();
        await Expect(page.Locator("#head .badge")).Not.ToHaveTextAsync("Alive");
        await page.GotoAsync("/actions?kind=worker_draining");
        await Expect(page.Locator("#actions tbody tr")).ToHaveCountAsync(1);
        tab.AssertNoErrors();
    }

    [BrowserFact]
    public async Task Actor_IsCalledByTheFormOfItsEndpoint()
    {
        var cluster = shared.Cluster;
        var job = await cluster.Client.SubmitAsync((CancellationToken stopping) => ServeAsync("calc", stopping), new JobOptions { Name = "calculator", Ports = [ActorServer.PortName] });
        await using var tab = await LoginAsync(cluster.Controller, "/endpoints");
        var page = tab.Page;

        await page.GetByRole(AriaRole.Link, new() { Name = "calc", Exact = true }).ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "ListMethods" }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Call", Exact = true }).ClickAsync();
        await Expect(page.Locator("#answer")).ToContainTextAsync("Add(int a, int b) -> int");
        await page.GetByRole(AriaRole.Link, new() { Name = "Call", Exact = true }).ClickAsync();
        await Expect(page.GetByLabel("actor")).ToHaveValueAsync("calc");
        await page.GetByLabel("method").FillAsync("Add");
        await page.GetByLabel("arguments").FillAsync("[20, 22]");
        await page.GetByRole(AriaRole.Button, new() { Name = "Call", Exact = true }).ClickAsync();
        await Expect(page.Locator("#answer.tone-ok")).ToContainTextAsync("\"value\": \"42\"");
        await Expect(page.GetByLabel("arguments")).ToHaveValueAsync("[20, 22]");
        await tab.AssertAccessibleAsync();
        await tab.ScreenshotAsync("dashboard-call");

        await page.GetByLabel("method").FillAsync("Divide");
        await page.GetByRole(AriaRole.Button, new() { Name = "Call", Exact = true }).ClickAsync();
        await Expect(page.Locator("#answer.tone-bad")).ToContainTextAsync("Divide");
        await job.TerminateAsync();
        tab.AssertNoErrors();
    }

    [BrowserFact]
    public async Task Trace_OfAJobThatCallsAnActor_IsOneScreen()
    {
        var cluster = shared.Cluster;
        var server = await cluster.Client.SubmitAsync((CancellationToken stopping) => ServeAsync("sums", stopping), new JobOptions { Name = "calculator", Ports = [ActorServer.PortName] });
        var job = await cluster.Client.SubmitAsync(() => AskAsync("sums"), new JobOptions { Name = "asks" });
        Assert.Equal(42, await job.ResultAsync(s_patience));
        await using var tab = await LoginAsync(cluster.Controller, $"/job?id={job.Id}");
        var page = tab.Page;

        // From the submit to the call that the job's code makes, each by its name, or by who it is that says so.
        foreach (var name in (string[])["submit", "queue", "placement", "attempt 1", "process start", "Fluster.Job", "Fluster.Actors"])
        {
            await Expect(page.Locator("#trace .wf-name").Filter(new() { HasText = name }).First).ToBeVisibleAsync();
        }

        await page.Locator("#trace").ScrollIntoViewIfNeededAsync();
        var box = await page.Locator("#trace").BoundingBoxAsync();
        Assert.InRange(box!.Height, 100, page.ViewportSize!.Height);
        await tab.AssertAccessibleAsync();
        await tab.AssertFitsPhoneAsync();
        await page.Locator("#trace").ScrollIntoViewIfNeededAsync();
        await tab.ScreenshotAsync("dashboard-trace");
        tab.AssertNoErrors();
        await server.TerminateAsync();
    }

    [BrowserFact]
    public async Task Jobs_AreTrees_WithWhatIsBelowThem()
    {
        var cluster = shared.Cluster;
        var parent = await cluster.Client.SubmitAsync(() => BearAsync(7), new JobOptions { Name = "curriculum", Namespace = Namespace.Parse("school") });
        Assert.Equal(7, await parent.ResultAsync(s_patience));
        await using var tab = await LoginAsync(cluster.Controller, "/jobs?namespace=school");
        var page = tab.Page;

        await Expect(page.Locator("#jobs tbody tr")).ToHaveCountAsync(6); // the parent, and its five newest
        await Expect(page.Locator("#jobs td.depth-1").First).ToHaveTextAsync("lesson-6");
        await tab.ScreenshotAsync("dashboard-jobs");
        await page.GetByRole(AriaRole.Link, new() { Name = "2 more below it" }).ClickAsync();
        await Expect(page.Locator("#jobs tbody tr")).ToHaveCountAsync(8);
        await page.GetByLabel("State").SelectOptionAsync("Succeeded"); // sends itself
        await Expect(page).ToHaveURLAsync(new Regex("state=Succeeded.*within=curriculum", RegexOptions.None, TimeSpan.FromSeconds(1)));
        await Expect(page.Locator("#jobs tbody tr")).ToHaveCountAsync(8);
        await page.GetByRole(AriaRole.Link, new() { Name = "lesson-3" }).ClickAsync();
        await page.Locator(".crumbs").GetByRole(AriaRole.Link, new() { Name = "curriculum" }).ClickAsync();
        await Expect(page.Locator("h1")).ToHaveTextAsync(parent.Id.ToString());
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Jobs below it" })).ToBeVisibleAsync();
        tab.AssertNoErrors();
    }

    [BrowserFact]
    public async Task TenThousandJobs_ArePagedAndFound()
    {
        const int Jobs = 10_000;
        await using var controller = await ControllerProcess.StartAsync();
        await SubmitManyAsync(controller, Jobs);
        await using var tab = await LoginAsync(controller, "/jobs");
        var page = tab.Page;

        await Expect(page.Locator("#jobs tbody tr")).ToHaveCountAsync(50);
        await Expect(page.Locator(".pager")).ToContainTextAsync("1 to 50 of 10,000");
        await page.GetByRole(AriaRole.Link, new() { Name = "Older" }).ClickAsync();
        await Expect(page.Locator(".pager")).ToContainTextAsync("51 to 100 of 10,000");
        var second = await page.Locator("#jobs tbody a").First.TextContentAsync();
        await page.GetByLabel("Name has").FillAsync("many-04242");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator("#jobs tbody tr")).ToHaveCountAsync(1);
        await Expect(page.Locator("#jobs tbody a").First).ToHaveTextAsync("many-04242-00001092");
        Assert.NotEqual("many-04242-00001092", second);
        tab.AssertNoErrors();

        // What the page costs, without the browser: shown, and bounded so that a square of the number of jobs would be noticed.
        using var http = new HttpClient { BaseAddress = new Uri(controller.HttpAddress) };
        http.DefaultRequestHeaders.Authorization = new("Bearer", controller.AdminToken);
        var started = TimeProvider.System.GetTimestamp();
        for (var i = 0; i < 10; i++)
        {
            Assert.Contains("of 10,000", await http.GetStringAsync("/jobs"), StringComparison.Ordinal);
        }

        var each = TimeProvider.System.GetElapsedTime(started) / 10;
        var jobStarted = TimeProvider.System.GetTimestamp();
        Assert.Contains("many-00042-0000002a", await http.GetStringAsync("/job?id=many-00042-0000002a"), StringComparison.Ordinal);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"The page of one of them: {TimeProvider.System.GetElapsedTime(jobStarted).TotalMilliseconds:0.0} ms"));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"A page of {Jobs} jobs: {each.TotalMilliseconds:0.0} ms"));
        Assert.True(each < TimeSpan.FromSeconds(2), $"{each}");
    }

    private static Regex CpuLabel { get; } = new("^CPU: ", RegexOptions.None, TimeSpan.FromSeconds(1));

    private static ILocator StateOf(IPage page) => page.Locator("#head .badge");

    internal static async Task ServeAsync(string name, CancellationToken stopping)
    {
        await using var server = new ActorServer();
        server.Register(name, new Calculator());
        await server.RunAsync(stopping);
    }

    internal static async Task<int> AskAsync(string name)
    {
        using var client = new ActorClient<ICalculator>(FlusterContext.Current.Resolver, name, options: new ActorCallOptions { Timeout = s_patience });
        return await client.Actor.Add(20, 22);
    }

    internal static async Task<int> BearAsync(int count)
    {
        for (var i = 0; i < count; i++)
        {
            var lesson = await FlusterContext.Current.Controller!.SubmitAsync(TestCluster.Bash("true", $"lesson-{i}"));
            await lesson.WaitAsync(s_patience);
        }

        return count;
    }

    private async Task<BrowserTab> LoginAsync(ControllerProcess controller, string path)
    {
        SetDefaultExpectTimeout(Chromium.Patience);
        var tab = await chromium.OpenAsync(controller.HttpAddress);
        await tab.Page.GotoAsync(path);
        await tab.Page.GetByLabel("Token").FillAsync(controller.AdminToken);
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Log in" }).ClickAsync();
        await Expect(tab.Page).ToHaveURLAsync(controller.HttpAddress + path);
        return tab;
    }

    /// <summary>Jobs that all wait, with ids that follow from their numbers.</summary>
    private static async Task SubmitManyAsync(ControllerProcess controller, int count)
    {
        using var channel = controller.Channel();
        var service = ControllerProcess.Service(channel);
        var headers = controller.Headers();
        await Parallel.ForEachAsync(Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (number, cancellationToken) =>
        {
            var name = $"many-{number:00000}";
            var spec = new V1.JobSpec { Name = name, Entrypoint = new V1.Entrypoint { Command = new V1.CommandEntrypoint { Argv = { "true" } } } };
            await service.LaunchJobAsync(new V1.LaunchJobRequest { JobId = $"{name}-{number:x8}", RequestId = $"{number}", Spec = spec }, headers, cancellationToken: cancellationToken);
        });
    }

    public interface ICalculator
    {
        Task<int> Add(int a, int b);
    }

    private sealed class Calculator
    {
        public int Add(int a, int b) => a + b;
    }
}
