using Fluster.Cluster;
using Fluster.Controller;
using Google.Protobuf.WellKnownTypes;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>What the pages compute before they are drawn.</summary>
public class DashboardPartsTests
{
    private static readonly DateTimeOffset s_noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Cookie_OpensOnlyWhatThisClusterSealed()
    {
        using var key = ClusterKey.Create();
        using var other = ClusterKey.Create();
        var cookie = new SessionCookie(key, null!);

        var sealedText = cookie.Seal("a.token.of-somebody");

        Assert.Equal("a.token.of-somebody", cookie.Open(sealedText));
        Assert.Equal("a.token.of-somebody", new SessionCookie(ClusterKey.Parse(key.ExportPrivatePem()), null!).Open(sealedText));
        Assert.NotEqual(sealedText, cookie.Seal("a.token.of-somebody"));
        Assert.Null(new SessionCookie(other, null!).Open(sealedText));
        Assert.All(["", "x", "a.token.of-somebody", sealedText[..^1], sealedText[..20] + (sealedText[20] == 'A' ? 'B' : 'A') + sealedText[21..]], text => Assert.Null(cookie.Open(text)));
    }

    [Fact]
    public void Chart_NewestIsAtTheRight_AndPeaksStay()
    {
        Assert.Equal("M90 50L100 0", ChartPath.Line([5, 10], 11, 10, 100, 100));
        Assert.Equal("", ChartPath.Line([], 11, 10, 100, 100));
        Assert.StartsWith("M90 50L100 0L100 100L90 100Z", ChartPath.Area([5, 10], 11, 10, 100, 100), StringComparison.Ordinal);
        var peak = Enumerable.Repeat(0.0, 720).ToArray();
        peak[301] = 10;
        Assert.Contains(" 0L", ChartPath.Line(peak, 720, 10, 600, 100), StringComparison.Ordinal);
        Assert.Equal([1, 1, 5, 20, 500], ((double[])[0, 1, 3, 11, 400]).Select(highest => ChartPath.Ceiling([highest])));
    }

    [Fact]
    public void Timeline_ShowsWaitingStartingAndRunning_OfEachAttempt()
    {
        var job = new V1.JobInfo { State = V1.JobState.Running, CreatedAt = At(0) };
        job.Tasks.Add(new V1.TaskInfo
        {
            Attempts =
            {
                new V1.AttemptInfo { WorkerId = "w1", State = V1.JobState.Failed, PlacedAt = At(10), StartedAt = At(20), EndedAt = At(50) },
                new V1.AttemptInfo { WorkerId = "w2", State = V1.JobState.Running, PlacedAt = At(60), StartedAt = At(70) },
            },
        });

        var timeline = JobTimeline.Of(job, s_noon.AddSeconds(100));

        Assert.Equal(["Task 0, attempt 1", "Task 0, attempt 2"], timeline.Lines.Select(line => line.Name));
        Assert.Equal([("tone-off", 0, 100), ("tone-wait", 100, 100), ("tone-bad", 200, 300)], timeline.Lines[0].Bars.Select(bar => (bar.Tone, bar.From, bar.Width)));
        Assert.Equal([("tone-off", 500, 100), ("tone-wait", 600, 100), ("tone-run", 700, 300)], timeline.Lines[1].Bars.Select(bar => (bar.Tone, bar.From, bar.Width)));
    }

    [Fact]
    public void Trace_IsATreeOnOneScale_WhateverTheOrderAndWhateverIsMissing()
    {
        var trace = new V1.GetJobTraceResponse { TraceId = "t", Sampled = true };
        trace.Spans.Add(Span("3", "2", "inner", 60, 80));
        trace.Spans.Add(Span("1", "gone", "submit", 0, 100));
        trace.Spans.Add(Span("2", "1", "outer", 50, null));
        trace.Spans.Add(Span("2", "1", "outer told of twice", 50, null));

        var view = TraceView.Of(trace, s_noon.AddSeconds(100));

        Assert.Equal([("submit", 0, 0, 1000), ("outer", 1, 500, 500), ("inner", 2, 600, 200)], view.Lines.Select(line => (line.Span.Name, line.Depth, line.From, line.Width)));
        Assert.True(view.Lines[1].GoesOn);
        Assert.Equal(TimeSpan.FromSeconds(100), view.Length);
    }

    [Fact]
    public void Series_KeepsAnHourAndNoMore()
    {
        var series = new UtilisationSeries();
        var state = new ClusterState { Meta = new ClusterMeta { ClusterId = new string('0', 32), Epoch = 1 } };

        for (var i = 0; i < UtilisationSeries.Kept + 10; i++)
        {
            series.Take(state);
        }

        Assert.Equal(UtilisationSeries.Kept, series.OfCluster().Count);
        Assert.Empty(series.Of(1));
    }

    [Fact]
    public void Call_HasWhatWasFilledIn_ByTheTypesOfItsFields()
    {
        var method = new CallableMethod("a.Service/Call", [
            new CallableField("name", 1, FieldKind.Text, "string"), new CallableField("count", 2, FieldKind.Number, "int32"), new CallableField("sure", 3, FieldKind.Truth, "bool"),
            new CallableField("list", 4, FieldKind.Json, "list of string"), new CallableField("empty", 5, FieldKind.Text, "string")]);

        var body = EndpointCaller.BodyOf(method, new Dictionary<string, string>(StringComparer.Ordinal) { ["name"] = "[1]", ["count"] = "3", ["sure"] = "true", ["list"] = "[\"a\"]", ["empty"] = "", ["other"] = "x" }, out _);

        Assert.Equal("""{"name":"[1]","count":3,"sure":true,"list":["a"]}""", body!.ToJsonString());
        Assert.Null(EndpointCaller.BodyOf(method, new Dictionary<string, string>(StringComparer.Ordinal) { ["list"] = "[" }, out var problem));
        Assert.StartsWith("The field 'list' takes list of string, as JSON:", problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://169.254.169.254/latest")]
    [InlineData("http://[fe80::1]:80")]
    [InlineData("http://[::ffff:169.254.169.254]:80")]
    [InlineData("10.0.0.1:80")]
    [InlineData("file:///etc/passwd")]
    public async Task Call_OfAnAddressThatIsNone_IsNotMade(string address)
    {
        var answer = await new EndpointCaller(null!, TimeProvider.System).MethodsAsync(new V1.Endpoint { Address = address }, CancellationToken.None);

        Assert.Empty(answer.Methods);
        Assert.NotNull(answer.Problem);
    }

    private static V1.Span Span(string id, string parent, string name, int start, int? end) =>
        new() { SpanId = id, ParentId = parent, Name = name, Start = At(start), End = end is { } seconds ? At(seconds) : null };

    private static Timestamp At(int seconds) => s_noon.AddSeconds(seconds).ToTimestamp();
}
