using Aspire.Hosting.Dashboard;

namespace Fluster.Tests;

/// <summary>The consoles on the dashboard: of one resource or all, searched, followed, downloaded, the AppHost's own among them.</summary>
public class DashboardConsoleTests
{
    private static readonly DateTimeOffset s_now = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Store_LinesOfSeveral_AreInterleavedSearchedAndFollowed()
    {
        var store = new ConsoleStore();
        store.Append(s_now, "a", "\e[32mgreen\e[0m Apple", isError: false);
        var second = store.Append(s_now, "b", "pear", isError: true);
        store.Append(s_now, "a", "apple again", isError: false);

        Assert.Equal(["green Apple", "pear", "apple again"], Texts(store.Read(null, "", 0, 100)));
        Assert.Equal(["green Apple", "apple again"], Texts(store.Read(null, "APPLE", 0, 100)));
        Assert.Equal(["pear"], Texts(store.Read(["B"], "", 0, 100)));
        Assert.Equal(["apple again"], Texts(store.Read(null, "", second.Sequence, 100)));
        var newest = store.Read(null, "", 0, 1);
        Assert.Equal(["apple again"], Texts(newest));
        Assert.Equal((3, 3L), (newest.Found, newest.Last));
    }

    [Fact]
    public void Store_MoreLinesThanAreKept_DropsTheOldestOfThatConsoleOnly()
    {
        var store = new ConsoleStore();
        store.Append(s_now, "quiet", "first of all", isError: false);
        for (var i = 0; i < 25_000; i++)
        {
            store.Append(s_now, "loud", $"line {i}", isError: false);
        }

        var loud = store.Read(["loud"], "", 0, int.MaxValue);
        Assert.Equal((10_000, "line 15000", "line 24999"), (loud.Found, loud.Entries[0].Text, loud.Entries[^1].Text));
        Assert.Equal(1, store.Read(["quiet"], "", 0, 10).Found);
        Assert.Equal(16_385, store.Append(s_now, "wide", new string('x', 100_000), isError: false).Text.Length);
    }

    [Fact]
    public async Task Pages_OneAllSearchFollowAndDownload_ShowTheLines()
    {
        using var directory = new TemporaryDirectory();
        await using var app = TestApplication.WithDashboard(directory);
        app.AddScript("first", "echo 'from <first> & more'; sleep 600");
        app.AddScript("second", "echo from second; echo trouble >&2; sleep 600");
        app.AddScript("failing", "exit 3");
        await app.StartAsync();
        var link = await app.LoginLinkAsync();
        using var client = DashboardTests.Client(link);
        await client.GetAsync(link.PathAndQuery);
        await app.LineAsync("first", line => line.Contains("from", StringComparison.Ordinal));
        await app.LineAsync("second", line => line == "trouble");
        await app.OutputAsync("failing");

        var one = await client.GetStringAsync("/console?resource=first");
        Assert.True(one.Contains("from &lt;first&gt; &amp; more", StringComparison.Ordinal), one);
        Assert.DoesNotContain("from second", one, StringComparison.Ordinal);
        var all = await client.GetStringAsync("/console");
        Assert.Contains("from second", all, StringComparison.Ordinal);
        Assert.Contains("from &lt;first&gt;", all, StringComparison.Ordinal);
        var searched = await client.GetStringAsync("/console?q=TROUBLE");
        Assert.Contains("<mark>trouble</mark>", searched, StringComparison.Ordinal);
        Assert.DoesNotContain("from second", searched, StringComparison.Ordinal);

        // The AppHost says what it notices of its resources; the link that logs in is not among it.
        string host = "";
        await Eventually.True(
            async () => (host = await client.GetStringAsync("/console?resource=apphost")).Contains("ended by itself with exit code 3", StringComparison.Ordinal), () => host);
        Assert.DoesNotContain(link.Query["?t=".Length..], host, StringComparison.Ordinal);

        using var none = await client.GetAsync("/console/lines?resource=first&q=&after=1000000");
        Assert.Equal("", await none.Content.ReadAsStringAsync());
        using var lines = await client.GetAsync("/console/lines?resource=first&q=&after=0");
        Assert.StartsWith("<div class=\"log-line", (await lines.Content.ReadAsStringAsync()).Trim(), StringComparison.Ordinal);
        Assert.True(long.Parse(lines.Headers.GetValues("X-Last").Single(), System.Globalization.CultureInfo.InvariantCulture) > 0);
        using var file = await client.GetAsync("/console/download?resource=second&q=");
        Assert.Equal("second.log", file.Content.Headers.ContentDisposition?.FileName);
        Assert.Matches(@"\[second-[a-z]{8}\] from second\n", await file.Content.ReadAsStringAsync());
    }

    private static string[] Texts(ConsoleSlice slice) => [.. slice.Entries.Select(entry => entry.Text)];
}
