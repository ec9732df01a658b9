using System.Text.Json;

namespace Fluster.Tests;

/// <summary><c>fluster endpoints</c> against a real controller.</summary>
public sealed class CliEndpointsTests : IAsyncLifetime
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("fluster-cli-");
    private ControllerProcess _controller = null!;
    private string _context = "";

    [Fact]
    public async Task Endpoints_List_IsPlainColumnsOrJson()
    {
        await using var client = _controller.Client();
        await using var registration = await client.EndpointRegistry.OpenRegistrationAsync();
        await registration.RegisterAsync("calc", "10.0.0.1:1", new Dictionary<string, string>(StringComparer.Ordinal) { ["version"] = "2" });
        await registration.RegisterAsync("other", "10.0.0.1:2");

        using var all = CliProcess.Start(_context, "endpoints");
        using var json = CliProcess.Start(_context, "endpoints", "ca", "--output", "json");
        using var none = CliProcess.Start(_context, "endpoints", "nobody");

        Assert.Equal((0, 0, 0), (await all.ExitAsync(), await json.ExitAsync(), await none.ExitAsync()));
        var lines = all.Out.TrimEnd('\n').Split('\n');
        Assert.Matches("^NAME +ADDRESS +OWNER +AGE +METADATA$", lines[0]);
        Assert.Matches(@"^calc +10\.0\.0\.1:1 +reg-[0-9a-f]{16} +.* version=2$", lines[1]);
        Assert.Matches(@"^other +10\.0\.0\.1:2 ", lines[2]);
        using var parsed = JsonDocument.Parse(json.OutBytes);
        var one = Assert.Single(parsed.RootElement.EnumerateArray());
        Assert.Equal(("calc", "10.0.0.1:1", "2"), (one.GetProperty("name").GetString(), one.GetProperty("address").GetString(), one.GetProperty("metadata").GetProperty("version").GetString()));
        Assert.Equal("", none.Out);
        Assert.Contains("'nobody'", none.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Endpoints_Watch_TellsWhatComesAndGoes()
    {
        await using var client = _controller.Client();
        await using var registration = await client.EndpointRegistry.OpenRegistrationAsync();
        var first = await registration.RegisterAsync("calc", "10.0.0.1:1");

        using var watch = CliProcess.Start(_context, "endpoints", "--watch");
        await Eventually.True(() => watch.Out.Contains("+ calc  10.0.0.1:1", StringComparison.Ordinal), () => $"{watch.Out} {watch.Error}");
        await registration.RegisterAsync("calc", "10.0.0.1:2");
        await registration.UnregisterAsync(first.Id);

        await Eventually.True(() => watch.Out.Contains("- calc  10.0.0.1:1", StringComparison.Ordinal) && watch.Out.Contains("+ calc  10.0.0.1:2", StringComparison.Ordinal), () => $"{watch.Out} {watch.Error}");
    }

    public async Task InitializeAsync()
    {
        _controller = await ControllerProcess.StartAsync();
        _context = await CliProcess.WriteContextAsync(_directory.FullName, _controller.GrpcAddress, _controller.AdminToken);
    }

    public async Task DisposeAsync()
    {
        await _controller.DisposeAsync();
        _directory.Delete(recursive: true);
    }
}
