using Microsoft.Playwright;

namespace Fluster.Tests;

/// <summary>The look that both dashboards share, on a page that has all of it; and that the checks of pages find what they are for.</summary>
[Collection(BrowserCollection.Name)]
public class LookTests(Chromium chromium)
{
    private static readonly string[] s_tones = ["tone-ok", "tone-bad", "tone-run", "tone-wait", "tone-off"];

    [BrowserFact]
    public async Task Stylesheet_AllItsParts_AreReadableInBothSchemes()
    {
        await using var tab = await chromium.OpenAsync();
        await tab.Page.SetContentAsync(Sample());
        await tab.Page.AddStyleTagAsync(new PageAddStyleTagOptions { Content = Repository.Read("platform/AppModel/Dashboard/Assets/base.css") });

        await tab.AssertAccessibleAsync();
        await tab.AssertFitsPhoneAsync();
        tab.AssertNoErrors();
    }

    /// <summary>A switch on the page outweighs the system.</summary>
    [BrowserFact]
    public async Task Stylesheet_ThemeOfThePage_OutweighsTheSystems()
    {
        await using var tab = await chromium.OpenAsync(scheme: ColorScheme.Light);
        await tab.Page.SetContentAsync(Sample());
        await tab.Page.AddStyleTagAsync(new PageAddStyleTagOptions { Content = Repository.Read("platform/AppModel/Dashboard/Assets/base.css") });
        var light = await BackgroundAsync(tab);

        await tab.Page.EvaluateAsync("() => document.documentElement.dataset.theme = 'dark'");

        Assert.NotEqual(light, await BackgroundAsync(tab));
    }

    [BrowserFact]
    public async Task Checks_FindWhatTheyAreFor()
    {
        await using var tab = await chromium.OpenAsync();
        await tab.Page.SetContentAsync(
            """
            <body><h1>One</h1><h3>Three</h3><input><button></button><img src="data:,"><svg></svg><table><tr><td>1</td></tr></table><p id="a">x</p><p id="a" style="color:#999;background:#fff">grey</p>
            <script>console.error("seen")</script><div style="width:3000px">wide</div></body>
            """);

        var structure = string.Join('\n', await tab.Page.EvaluateAsync<string[]>(PageChecks.Structure));
        foreach (var expected in (string[])["no language", "no title", "h3 after h1", "field without a label", "control without a name", "image without a text", "drawing without a text", "table without headings", "id twice", "inline style", "not exactly one main"])
        {
            Assert.Contains(expected, structure, StringComparison.Ordinal);
        }

        Assert.Contains("\"grey\"", Assert.Single(await tab.Page.EvaluateAsync<string[]>(PageChecks.Contrast)), StringComparison.Ordinal);
        Assert.NotEmpty(await tab.Page.EvaluateAsync<string[]>(PageChecks.Width));
        Assert.Contains(tab.Errors, error => error.Contains("seen", StringComparison.Ordinal));
    }

    private static Task<string> BackgroundAsync(BrowserTab tab) => tab.Page.EvaluateAsync<string>("() => getComputedStyle(document.body).backgroundColor");

    private static string Sample() =>
        $"""
        <!doctype html><html lang="en"><head><title>Look</title></head><body><a class="skip" href="#main">To the content</a><div class="shell">
        <div class="side"><a class="brand" href="#">Fluster <small>a cluster</small></a><nav><a href="#" aria-current="page">Jobs <span class="count">12</span></a><a href="#">Workers</a></nav><div class="side-foot"><button class="small quiet">System colours</button> admin</div></div>
        <main id="main"><div class="page-head"><h1>Jobs</h1><span class="muted">12 of them</span><div class="actions"><button>New</button><button class="primary">Go</button><button disabled>Gone</button>
        <details class="confirm" open><summary class="button danger">Stop</summary><form><p>Stop it?</p><button class="danger">Stop it</button></form></details></div><p>What is here.</p></div>
        {Each(tone => $"<p class=\"notice {tone}\">A notice with <a href=\"#\">a link</a>, <code>code</code> and <span class=\"muted\">a remark</span></p>")}
        <div class="cards"><a class="card" href="#"><div class="label">Workers</div><div class="value">3</div></a><div class="card"><div class="label">Jobs</div><div class="value">10,000</div></div></div>
        <form class="filters"><div class="field"><label for="a">Name</label><input id="a" value="train"></div><div class="field"><label for="b">State</label><select id="b"><option>Running</option></select></div><div class="field"><label for="c">Text</label><textarea id="c">text</textarea></div><label class="check"><input type="checkbox"> all</label></form>
        <section><div class="section-head"><h2>Table</h2></div><div class="table-wrap"><table><caption>Rows</caption><thead><tr><th>Job</th><th class="num">Ran</th></tr></thead><tbody>
        {Each(tone => $"<tr><td><a href=\"#\">job</a><span class=\"sub\">why it waits</span></td><td class=\"num\"><span class=\"badge {tone}\">State</span></td></tr>")}</tbody></table></div><div class="pager">Page 1 <a class="button" href="#">Next</a></div></section>
        <dl class="facts panel"><dt>Namespace</dt><dd>default</dd></dl><p class="empty">Nothing.</p>
        <div class="log" tabindex="0"><div class="log-line"><span class="log-time">12:00</span><span class="log-src">0</span><span class="log-text">A <mark>line</mark></span></div><div class="log-line stderr"><span class="log-text">An error</span></div><div class="log-line gap"><span class="log-text">Missing</span></div></div>
        <ol class="waterfall">{Each(tone => $"<li class=\"wf-row depth-1\"><span class=\"wf-name\">submit <span class=\"sub\">client</span></span><svg class=\"wf-track\" role=\"img\" aria-label=\"bar\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\"><rect class=\"wf-bar {tone}\" x=\"10\" width=\"300\" height=\"10\"/></svg><span class=\"wf-time\">3 ms</span></li>")}</ol>
        <div class="panel"><svg class="chart" role="img" aria-label="chart" viewBox="0 0 300 80"><text x="2" y="12">100 %</text><path class="area" d="M0 80L0 40L300 10L300 80Z"/><path class="line" d="M0 40L300 10"/></svg></div></main></div></body></html>
        """;

    private static string Each(Func<string, string> part) => string.Concat(s_tones.Select(part));
}

/// <summary>The tests that share a browser.</summary>
[CollectionDefinition(Name)]
public sealed class BrowserCollection : ICollectionFixture<Chromium>
{
    public const string Name = "Browser";
}
