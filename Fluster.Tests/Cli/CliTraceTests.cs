using System.Text.Json;
using Google.Protobuf.WellKnownTypes;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary><c>fluster job trace</c> draws the tree of a trace, or writes it as JSON.</summary>
public sealed class CliTraceTests : IAsyncLifetime
{
    private const string TraceId = "0af7651916cd43dd8448eb211c80319c";

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("fluster-cli-");
    private ScriptedController? _controller;
    private string _context = "";

    [Fact]
    public async Task Trace_OfAJob_IsATreeWithDurations()
    {
        _controller!.Add("train-1a2b3c4d", "train");
        _controller.Trace = Trace();

        var (output, error, code) = await RunAsync("job", "trace", "train-1a2b3c4d");

        Assert.Equal((0, "2 spans of this job were given up: it had more than are kept.\n"), (code, error));
        Assert.Equal(
            """
            SPAN           AT        TOOK      BY
            job train      0.0 ms    2.50 s    Fluster.Controller
              queue        5.0 ms    95.0 ms   Fluster.Controller
              attempt 1    100.0 ms  2.40 s    Fluster.Worker      failed: Exit code: 3
                Train.Run  400.0 ms  1 min 3 s  Fluster.Job
            """.Split('\n').Select(Squeezed),
            output.TrimEnd('\n').Split('\n').Select(Squeezed));
    }

    [Fact]
    public async Task Trace_AsJson_HasEverySpanBelowItsParent()
    {
        _controller!.Add("train-1a2b3c4d", "train");
        _controller.Trace = Trace();

        var (output, _, code) = await RunAsync("job", "trace", "train-1a2b3c4d", "--output", "json");

        Assert.Equal(0, code);
        var trace = JsonDocument.Parse(output).RootElement;
        Assert.Equal((TraceId, "train-1a2b3c4d"), (trace.GetProperty("traceId").GetString(), trace.GetProperty("job").GetString()));
        var spans = trace.GetProperty("spans").EnumerateArray().ToList();
        Assert.Equal(["job train", "queue", "attempt 1", "Train.Run"], spans.Select(span => span.GetProperty("name").GetString()));
        Assert.Equal(spans[2].GetProperty("id").GetString(), spans[3].GetProperty("parent").GetString());
        Assert.Equal(95, spans[1].GetProperty("milliseconds").GetDouble());
        Assert.Equal("Error", spans[2].GetProperty("status").GetString());
    }

    [Fact]
    public async Task Trace_NotSampled_SaysSo()
    {
        _controller!.Add("train-1a2b3c4d", "train");
        _controller.Trace = new V1.GetJobTraceResponse { TraceId = TraceId };

        var (output, error, code) = await RunAsync("job", "trace", "train-1a2b3c4d");

        Assert.Equal((0, ""), (code, output));
        Assert.Contains("is not sampled", error, StringComparison.Ordinal);
    }

    public async Task InitializeAsync()
    {
        _controller = await ScriptedController.StartAsync();
        _context = await CliProcess.WriteContextAsync(_directory.FullName, _controller.Address, ScriptedController.Token);
    }

    public async Task DisposeAsync()
    {
        await _controller!.DisposeAsync();
        _directory.Delete(recursive: true);
    }

    private static V1.GetJobTraceResponse Trace() => new()
    {
        TraceId = TraceId,
        Sampled = true,
        Dropped = 2,
        Spans =
        {
            Span(1, 0, "job train", "Fluster.Controller", 0, 2_500),
            Span(2, 1, "queue", "Fluster.Controller", 5, 100),
            Span(3, 1, "attempt 1", "Fluster.Worker", 100, 2_500, "Exit code: 3"),
            Span(4, 3, "Train.Run", "Fluster.Job", 400, 63_400),
        },
    };

    private static V1.Span Span(int id, int parent, string name, string source, int start, int end, string? error = null) => new()
    {
        TraceId = TraceId,
        SpanId = $"{id:x16}",
        ParentId = parent == 0 ? "" : $"{parent:x16}",
        Name = name,
        Source = source,
        Start = Timestamp.FromDateTimeOffset(DateTimeOffset.UnixEpoch.AddMilliseconds(start)),
        End = Timestamp.FromDateTimeOffset(DateTimeOffset.UnixEpoch.AddMilliseconds(end)),
        Status = error is null ? V1.SpanStatus.Unspecified : V1.SpanStatus.Error,
        StatusMessage = error ?? "",
    };

    private static string Squeezed(string line) => string.Concat(line.TakeWhile(c => c == ' ')) + string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    private async Task<(string Output, string Error, int Code)> RunAsync(params string[] arguments)
    {
        using var process = CliProcess.Start(_context, arguments);
        var code = await process.ExitAsync();
        return (process.Out, process.Error, code);
    }
}
