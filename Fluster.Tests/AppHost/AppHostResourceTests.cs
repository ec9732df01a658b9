using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;

namespace Fluster.Tests;

/// <summary>The AppHost as tests of users have it: its own program, run within the test.</summary>
public class AppHostResourceTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(120);

    [Fact]
    public async Task Commands_LogABrowserIn_AndDrainOneOfTheWorkers()
    {
        using var directory = new TemporaryDirectory();
        await using var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Fluster_AppHost>([$"--data={directory.File("data")}"]).WaitAsync(s_limit);
        await using var app = await builder.BuildAsync().WaitAsync(s_limit);
        await app.StartAsync().WaitAsync(s_limit);
        await app.ResourceNotifications.WaitForResourceHealthyAsync("worker-1").WaitAsync(s_limit);
        await app.ResourceNotifications.WaitForResourceHealthyAsync("worker-2").WaitAsync(s_limit);

        await app.ResourceNotifications.WaitForResourceHealthyAsync("fluster").WaitAsync(s_limit);
        var dashboard = await app.ResourceCommands.ExecuteCommandAsync("fluster", "open-dashboard").WaitAsync(s_limit);
        Assert.True(dashboard.Success, dashboard.Message);
        using (var browser = new HttpClient(new SocketsHttpHandler { UseProxy = false })) // keeps cookies, follows redirections
        {
            Assert.Contains("<h1>Overview</h1>", await browser.GetStringAsync(new Uri(dashboard.Message!)), StringComparison.Ordinal);
        }

        var drained = await app.ResourceCommands.ExecuteCommandAsync("worker-1", "drain").WaitAsync(s_limit);

        Assert.True(drained.Success, drained.Message);
        await app.ResourceNotifications.WaitForResourceAsync("worker-1", KnownResourceStates.Finished).WaitAsync(s_limit);
        using var client = app.CreateHttpClient("controller");
        Assert.Equal("Healthy", await client.GetStringAsync("/health"));
        await app.ResourceNotifications.WaitForResourceAsync("worker-2", KnownResourceStates.Running).WaitAsync(s_limit);
    }
}
