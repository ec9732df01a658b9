using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using Aspire.Hosting;
using Aspire.Hosting.Dashboard;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Fluster.Tests;

/// <summary>Telemetry on the dashboard: read as OpenTelemetry writes it, bounded, from those who know the key, and there after a restart.</summary>
public class DashboardTelemetryTests
{
    [Fact]
    public void Spans_AllFields_AreRead()
    {
        var span = new OtlpMessage()
            .Add(1, OtlpMessage.Id('a', 16)).Add(2, OtlpMessage.Id('b', 8)).Add(4, OtlpMessage.Id('c', 8)).Add(5, "submit").AddNumber(6, 3).AddFixed(7, 1_000).AddFixed(8, 5_000)
            .AddAttribute(9, "text", "value").AddAttribute(9, "flag", new OtlpMessage().AddNumber(2, 1)).AddAttribute(9, "number", new OtlpMessage().AddNumber(3, unchecked((ulong)-7)))
            .AddAttribute(9, "half", new OtlpMessage().AddDouble(4, 0.5)).AddAttribute(9, "list", new OtlpMessage().Add(5, new OtlpMessage().Add(1, new OtlpMessage().Add(1, "x")).Add(1, new OtlpMessage().Add(1, "y"))))
            .Add(11, new OtlpMessage().AddFixed(1, 2_000).Add(2, "queued").AddAttribute(3, "why", "full"))
            .Add(13, new OtlpMessage().Add(1, OtlpMessage.Id('d', 16)).Add(2, OtlpMessage.Id('e', 8)))
            .Add(15, new OtlpMessage().Add(2, "no luck").AddNumber(3, 2));

        var read = Assert.Single(OtlpReader.Spans(span.InRequest("api", "Fluster.Client")));

        Assert.Equal(("api", "abc", "Fluster.Client"), (read.Source.Service, read.Source.Instance, read.Scope));
        Assert.Equal((new string('a', 32), new string('b', 16), new string('c', 16)), (read.TraceId, read.SpanId, read.ParentId));
        Assert.Equal(("submit", "client", 1_000ul, 5_000ul, true, "no luck"), (read.Name, read.Kind, read.Start, read.End, read.IsError, read.StatusMessage));
        Assert.Equal(["text=value", "flag=true", "number=-7", "half=0.5", "list=[x, y]"], read.Attributes.Select(attribute => $"{attribute.Key}={attribute.Value}"));
        Assert.Equal(("queued", 2_000ul, "full"), (read.Events[0].Name, read.Events[0].At, read.Events[0].Attributes[0].Value));
        Assert.Equal(new SpanLink(new string('d', 32), new string('e', 16)), Assert.Single(read.Links));
    }

    [Fact]
    public void LogsAndMetrics_AllFields_AreRead()
    {
        var log = new OtlpMessage().AddFixed(11, 9_000).AddNumber(2, 13).Add(5, new OtlpMessage().Add(1, "disk is full")).AddAttribute(6, "disk", "sda").Add(9, OtlpMessage.Id('a', 16)).Add(10, OtlpMessage.Id('b', 8));
        var record = Assert.Single(OtlpReader.Logs(log.InRequest("api", "Store")));
        Assert.Equal(("disk is full", 13, 9_000ul, new string('a', 32), "Store", "sda"), (record.Body, record.Severity, record.At, record.TraceId, record.Scope, record.Attributes[0].Value));

        var sum = new OtlpMessage().Add(1, "calls").Add(3, "1").Add(7, new OtlpMessage().Add(1, new OtlpMessage().AddFixed(3, 5).AddFixed(6, 42).AddAttribute(7, "to", "b")));
        Assert.Equal(("calls", "sum", 42d, "to=b"), OtlpReader.Metrics(sum.InRequest("api", "m")) is [var point] ? (point.Name, point.Kind, point.Value, point.Attributes) : default);
        var histogram = new OtlpMessage().Add(1, "wait").Add(9, new OtlpMessage().Add(1, new OtlpMessage().AddFixed(3, 5).AddFixed(4, 4).AddDouble(5, 10)));
        Assert.Equal(("histogram", 2.5, 4ul), OtlpReader.Metrics(histogram.InRequest("api", "m")) is [var mean] ? (mean.Kind, mean.Value, mean.Count) : default);
    }

    [Fact]
    public void Reader_CutOrForeignBytes_RefusesOrSkips()
    {
        var whole = new OtlpMessage().Add(5, "submit").AddNumber(99, 7).AddDouble(98, 1).Add(97, "new").InRequest("api", "s");
        Assert.Equal("submit", Assert.Single(OtlpReader.Spans(whole)).Name);
        for (var length = 1; length < whole.Length; length++)
        {
            Assert.Throws<InvalidDataException>(() => OtlpReader.Spans(whole.AsSpan(0, length)));
        }
    }

    [Fact]
    public void Store_MoreThanIsKept_DropsTheOldestTracesAndRecords()
    {
        var store = new TelemetryStore();
        for (var i = 0; i < 30_000; i++)
        {
            store.Add([new SpanRecord { Source = TelemetrySource.Unknown, TraceId = $"{i / 2}", SpanId = $"{i}", Name = "x", Start = (ulong)i }]);
            store.Add([new LogRecord { Source = TelemetrySource.Unknown, At = (ulong)i, Body = $"{i}" }]);
        }

        var traces = store.Traces(_ => true, trace => trace.Id);
        Assert.Equal((10_000, "14999", "5000"), (traces.Count, traces[0], traces[^1]));
        var logs = store.Logs(_ => true);
        Assert.Equal((10_000, "29999"), (logs.Count, logs[0].Body));
    }

    [Fact]
    public void Waterfall_ParentsLateMissingOrInACircle_EverySpanHasARow()
    {
        var trace = new TraceRecord("t");
        foreach (var (id, parent, start) in new[] { ("child", "root", 20ul), ("root", "", 10ul), ("grandchild", "child", 30ul), ("lost", "gone", 15ul), ("a", "b", 40ul), ("b", "a", 41ul) })
        {
            trace.Add(new SpanRecord { Source = TelemetrySource.Unknown, TraceId = "t", SpanId = id, ParentId = parent, Name = id, Start = start, End = start + 10 });
        }

        Assert.Equal(["root 0", "child 1", "grandchild 2", "lost 0", "a 0", "b 0"], Waterfall.Rows(trace).Select(row => $"{row.Name} {row.Depth}"));
    }

    [Fact]
    public async Task Receiver_WrongKeyKindOrBytes_SaysWhatIsWrong()
    {
        using var directory = new TemporaryDirectory();
        await using var app = TestApplication.WithDashboard(directory);
        await app.StartAsync();
        await app.LoginLinkAsync();
        var target = (await app.Running.Services.GetRequiredService<DashboardServer>().Otlp)!;
        using var client = new HttpClient { BaseAddress = new Uri(target.Address) };
        var request = new OtlpMessage().Add(1, OtlpMessage.Id('a', 16)).Add(2, OtlpMessage.Id('b', 8)).Add(5, "submit").InRequest("api", "s");

        Assert.Equal(HttpStatusCode.Unauthorized, await SendAsync(request, key: null));
        Assert.Equal(HttpStatusCode.Unauthorized, await SendAsync(request, key: "guess"));
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, await SendAsync(request, target.ApiKey, type: "application/json"));
        Assert.Equal(HttpStatusCode.BadRequest, await SendAsync(request[..^1], target.ApiKey));
        Assert.Equal(HttpStatusCode.BadRequest, await SendAsync(request, target.ApiKey, isPacked: true));
        Assert.Equal(HttpStatusCode.OK, await SendAsync(request, target.ApiKey));
        using var packed = new MemoryStream();
        await using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            await gzip.WriteAsync(request);
        }

        Assert.Equal(HttpStatusCode.OK, await SendAsync(packed.ToArray(), target.ApiKey, isPacked: true));

        async Task<HttpStatusCode> SendAsync(byte[] body, string? key, string type = "application/x-protobuf", bool isPacked = false)
        {
            using var content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue(type) } };
            if (key is not null)
            {
                content.Headers.Add(OtlpReceiver.KeyHeader, key);
            }

            if (isPacked)
            {
                content.Headers.ContentEncoding.Add("gzip");
            }

            using var answer = await client.PostAsync("/v1/traces", content);
            return answer.StatusCode;
        }
    }

    /// <summary>Two services with the defaults of ours, told where to send by the application model; and the next run shows it as that of an earlier one.</summary>
    [Fact]
    public async Task Services_OneCallsTheOther_OneTraceThatOutlivesTheAppHost()
    {
        using var directory = new TemporaryDirectory();
        string trace;
        await using (var app = TestApplication.WithDashboard(directory))
        {
            var back = app.AddProbeService("back");
            app.AddProbeService("front").WithReference(back);
            await app.StartAsync();
            using var client = await LoggedInAsync(app);
            await app.WhenReadyAsync("front");
            await app.WhenReadyAsync("back");
            using var front = app.Running.CreateHttpClient("front");
            var answer = "";
            await Eventually.True(
                async () => (answer = await front.GetStringAsync("/call?address=http://back/environment/OTEL_EXPORTER_OTLP_PROTOCOL")) == "http/protobuf", () => answer);

            var list = "";
            await Eventually.True(
                async () => (list = await client.GetStringAsync("/traces")).Contains("back (", StringComparison.Ordinal) && list.Contains("front (", StringComparison.Ordinal), () => list);
            trace = list.Split("href=\"/traces/")[1].Split('"')[0];
            Assert.Equal(32, trace.Length);
            await AssertTraceAsync(client, "");
            var logs = "";
            await Eventually.True(async () => (logs = await client.GetStringAsync("/logs?resource=back")).Contains("Application started", StringComparison.Ordinal), () => logs);
            Assert.DoesNotContain("Application started", await client.GetStringAsync("/logs?resource=back&level=Warning"), StringComparison.Ordinal);
            await Eventually.True(async () => (await client.GetStringAsync("/metrics?q=kestrel")).Contains("kestrel.active_connections", StringComparison.Ordinal), () => "metrics arrive");
        }

        await using var again = TestApplication.WithDashboard(directory);
        await again.StartAsync();
        using var later = await LoggedInAsync(again);
        var now = await later.GetStringAsync("/traces");
        Assert.DoesNotContain(trace, now, StringComparison.Ordinal);
        var run = now.Split("<option value=\"2")[1].Split('"')[0];
        await AssertTraceAsync(later, $"?run=2{run}");
        Assert.Contains("an earlier run", await later.GetStringAsync($"/traces/{trace}?run=2{run}"), StringComparison.Ordinal);
        Assert.Contains("Application started", await later.GetStringAsync($"/logs?resource=back&run=2{run}"), StringComparison.Ordinal);
        Assert.Contains("Application started", await later.GetStringAsync($"/console?resource=front&run=2{run}"), StringComparison.Ordinal);
        Assert.DoesNotContain("Application started", await later.GetStringAsync("/console?resource=front"), StringComparison.Ordinal);
        using var gone = await later.GetAsync("/traces?run=20200101-000000-000");
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
        if (!OperatingSystem.IsWindows())
        {
            foreach (var file in Directory.GetFiles(Path.Combine(directory.Path, "home"), "*", SearchOption.AllDirectories))
            {
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
            }
        }

        async Task AssertTraceAsync(HttpClient client, string query)
        {
            // The outermost span ends last, and may come with the next request.
            var html = "";
            await Eventually.True(
                async () => (html = await client.GetStringAsync($"/traces/{trace}{query}")).Contains("GET /call", StringComparison.Ordinal) && html.Contains("GET /environment/", StringComparison.Ordinal), () => html);
        }
    }

    private static async Task<HttpClient> LoggedInAsync(TestApplication app)
    {
        var link = await app.LoginLinkAsync();
        var client = DashboardTests.Client(link);
        (await client.GetAsync(link.PathAndQuery)).Dispose();
        return client;
    }
}
