using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Fluster.Tests;

/// <summary>GET /health and GET /alive answer one word, in every environment.</summary>
public class DefaultEndpointsTests
{
    [Fact]
    public async Task Health_InProduction_AnswersOneWord()
    {
        await using var app = await StartAsync(HealthCheckResult.Healthy());
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };

        Assert.Equal("Healthy", await client.GetStringAsync(new Uri("/health", UriKind.Relative)));
        Assert.Equal("Healthy", await client.GetStringAsync(new Uri("/alive", UriKind.Relative)));
    }

    [Fact]
    public async Task Health_OneCheckFails_IsUnavailableButAlive()
    {
        await using var app = await StartAsync(HealthCheckResult.Unhealthy("the secret reason"));
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };

        using var health = await client.GetAsync(new Uri("/health", UriKind.Relative));
        using var alive = await client.GetAsync(new Uri("/alive", UriKind.Relative));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, health.StatusCode);
        Assert.Equal("Unhealthy", await health.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.OK, alive.StatusCode);
    }

    [Theory]
    [InlineData("/health")]
    [InlineData("/alive")]
    public async Task Health_OtherMethodThanGet_IsRefused(string path)
    {
        await using var app = await StartAsync(HealthCheckResult.Healthy());
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };

        using var answer = await client.PostAsync(new Uri(path, UriKind.Relative), content: null);

        Assert.Equal(HttpStatusCode.MethodNotAllowed, answer.StatusCode);
    }

    private static async Task<WebApplication> StartAsync(HealthCheckResult result)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = Environments.Production });
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.AddServiceDefaults();
        builder.Services.AddHealthChecks().AddCheck("mine", () => result);
        var app = builder.Build();
        app.MapDefaultEndpoints();
        await app.StartAsync();
        return app;
    }
}
