using Fluster.Cluster;
using Fluster.Controller;
using Google.Protobuf.WellKnownTypes;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Web;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>The page of machines, which a cluster on one computer seldom has: drawn from what a controller with backends would answer.</summary>
[Collection(BrowserCollection.Name)]
public class MachinesPageTests(Chromium chromium)
{
    private static readonly DateTimeOffset s_now = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    [BrowserFact]
    public async Task Machines_AreShownWithTheirSlices_AndWhereNoneAreToBeHad()
    {
        var list = new V1.ListVmsResponse
        {
            Vms =
            {
                new V1.VmInfo { VmId = "fluster-00000001", Backend = "tpu", Shape = "v5litepod-16", Zone = "us-east1-c", State = "Ready", WorkerCount = 4, WorkerIds = { "fluster-00000001-0", "fluster-00000001-1" }, RequestedAt = s_now.AddHours(-2).ToTimestamp() },
                new V1.VmInfo { VmId = "fluster-00000002", Backend = "gce", Shape = "n2-standard-8", Zone = "us-east1-b", State = "Ready", Idle = true, WorkerCount = 1, WorkerIds = { "fluster-00000002" }, RequestedAt = s_now.AddMinutes(-3).ToTimestamp() },
                new V1.VmInfo { VmId = "fluster-00000003", Backend = "gce", Shape = "n2-standard-8", State = "Booting", WorkerCount = 1, JobId = "train-1a2b3c4d", RequestedAt = s_now.AddSeconds(-20).ToTimestamp() },
                new V1.VmInfo { VmId = "fluster-00000004", Backend = "gone", Shape = "x", State = "Releasing", WorkerCount = 1, Detail = "no backend 'gone' is configured any more: nobody can look after it" },
            },
            Blocks = { new V1.VmBlock { Backend = "tpu", Scope = "v5litepod-256 in us-east1-c", Kind = "Stockout", Until = s_now.AddMinutes(5).ToTimestamp(), Message = "There is no more capacity." } },
        };
        var page = new PageContext
        {
            Caller = new Caller(new TokenClaims { Role = TokenRoles.Admin, ExpiresAt = 0 }), FormToken = "f", Now = s_now, ClusterId = "0123456789abcdef",
        };
        await using var tab = await chromium.OpenAsync();
        await tab.Page.SetContentAsync(await DrawAsync(Document.Draw(page, new PageHead("Machines"), Shell.Draw(page, new PageHead("Machines", "/vms"), VmsPage.Draw(page, list)))));
        foreach (var style in (string[])["platform/AppModel/Dashboard/Assets/base.css", "Fluster.Controller/Dashboard/Assets/cluster.css"])
        {
            await tab.Page.AddStyleTagAsync(new PageAddStyleTagOptions { Content = Repository.Read(style) });
        }

        var rows = tab.Page.Locator("#vms tbody tr");
        await Expect(rows).ToHaveCountAsync(4);
        await Expect(rows.Nth(0)).ToContainTextAsync("v5litepod-16, a slice of 4");
        await Expect(rows.Nth(0)).ToContainTextAsync("2/4");
        await Expect(rows.Nth(1).Locator(".badge")).ToHaveTextAsync("Idle");
        await Expect(rows.Nth(2)).ToContainTextAsync("for train-1a2b3c4d");
        await Expect(rows.Nth(3)).ToContainTextAsync("nobody can look after it");
        await Expect(tab.Page.Locator(".notice.tone-wait").Last).ToHaveTextAsync("None are asked for in v5litepod-256 in us-east1-c until 12:05:00 UTC (Stockout): There is no more capacity.");
        await tab.AssertAccessibleAsync();
        await tab.AssertFitsPhoneAsync();
    }

    private static async Task<string> DrawAsync(RenderFragment content)
    {
        await using var services = new ServiceCollection().BuildServiceProvider();
        await using var renderer = new HtmlRenderer(services, NullLoggerFactory.Instance);
        var parameters = ParameterView.FromDictionary(new Dictionary<string, object?>(StringComparer.Ordinal) { [nameof(PageHost.Content)] = content });
        return await renderer.Dispatcher.InvokeAsync(async () => (await renderer.RenderComponentAsync<PageHost>(parameters)).ToHtmlString());
    }
}
