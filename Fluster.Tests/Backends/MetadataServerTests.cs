using System.Net;
using System.Text.Json;

namespace Fluster.Tests;

/// <summary>The metadata server that machines of the emulator ask about themselves.</summary>
public class MetadataServerTests
{
    [Fact]
    public async Task Machine_AsksAboutItself_AndIsTold()
    {
        await using var host = await EmulatorHost.StartAsync();
        var backend = host.Gce();
        await backend.AllocateAsync(EmulatorHost.Request(backend, "fluster-00000001"));

        Assert.Equal("fluster-00000001", await host.MetadataTextAsync("fluster-00000001", "instance/name"));
        Assert.EndsWith("/zones/us-central1-a", await host.MetadataTextAsync("fluster-00000001", "instance/zone"), StringComparison.Ordinal);
        Assert.Equal((await backend.GetAsync(Cluster.VmId.Parse("fluster-00000001"), EmulatorHost.Zone))!.Addresses[0], await host.MetadataTextAsync("fluster-00000001", "instance/network-interfaces/0/ip"));
        Assert.Contains("startup-script\n", await host.MetadataTextAsync("fluster-00000001", "instance/attributes/"), StringComparison.Ordinal);
        Assert.Equal(EmulatorHost.Project, await host.MetadataTextAsync("fluster-00000001", "project/project-id"));
        var token = JsonDocument.Parse(await host.MetadataTextAsync("fluster-00000001", "instance/service-accounts/default/token")).RootElement;
        Assert.Equal(("Bearer", 3599), (token.GetProperty("token_type").GetString(), token.GetProperty("expires_in").GetInt32()));
    }

    [Theory]
    [InlineData("fluster-00000001", "instance/name", false, HttpStatusCode.Forbidden)] // a browser that was led there must not read it
    [InlineData("fluster-00000001", "instance/nothing", true, HttpStatusCode.NotFound)]
    [InlineData("fluster-00000001", "instance/attributes/nothing", true, HttpStatusCode.NotFound)]
    [InlineData("fluster-00000002", "instance/name", true, HttpStatusCode.NotFound)]
    public async Task Question_ThatHasNoAnswer_IsRefused(string machine, string path, bool isAsProper, HttpStatusCode expected)
    {
        await using var host = await EmulatorHost.StartAsync();
        var backend = host.Gce();
        await backend.AllocateAsync(EmulatorHost.Request(backend, "fluster-00000001"));

        using var response = await host.MetadataAsync(machine, path, isAsProper);

        Assert.Equal(expected, response.StatusCode);
    }

    [Fact]
    public async Task Wait_ForAChange_EndsWithIt_OrWithTheTime()
    {
        await using var host = await EmulatorHost.StartAsync();
        var backend = host.Gce();
        await backend.AllocateAsync(EmulatorHost.Request(backend, "fluster-00000001"));
        using var first = await host.MetadataAsync("fluster-00000001", "instance/maintenance-event");
        var etag = first.Headers.GetValues("ETag").Single();

        var inTime = await host.MetadataTextAsync("fluster-00000001", $"instance/maintenance-event?wait_for_change=true&last_etag={etag}&timeout_sec=0");
        var waiting = host.MetadataTextAsync("fluster-00000001", $"instance/maintenance-event?wait_for_change=true&last_etag={etag}&timeout_sec=20");
        Assert.False(waiting.IsCompleted);
        await host.ControlAsync("maintenance", new { name = "fluster-00000001", @event = "TERMINATE_ON_HOST_MAINTENANCE" });

        Assert.Equal("NONE", inTime);
        Assert.Equal("TERMINATE_ON_HOST_MAINTENANCE", await waiting);
        Assert.Equal("TERMINATE_ON_HOST_MAINTENANCE", await host.MetadataTextAsync("fluster-00000001", $"instance/maintenance-event?wait_for_change=true&last_etag={etag}"));
    }
}
