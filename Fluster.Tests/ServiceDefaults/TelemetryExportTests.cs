using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Fluster.Tests;

/// <summary>Traces, metrics and logs leave over OTLP when an endpoint is configured, and nothing is built when it is not.</summary>
public class TelemetryExportTests
{
    [Fact]
    public async Task Export_EndpointSet_SendsSpansMetricsAndLogsOfTheService()
    {
        await using var collector = await Collector.StartAsync();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.Address;
        builder.Configuration["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf";
        builder.Configuration["OTEL_SERVICE_NAME"] = "shop-1";
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.AddServiceDefaults();
        var app = builder.Build();
        app.MapDefaultEndpoints();
        using var source = new ActivitySource("Fluster.Probe");
        app.MapGet("/orders", (ILogger<TelemetryExportTests> logger) =>
        {
            using var activity = source.StartActivity("pack-the-order");
#pragma warning disable CA1848 // One line in a test.
            logger.LogWarning("Order {Number} is packed", 42);
#pragma warning restore CA1848
            return activity is null ? "no listener" : "packed";
        });
        await app.StartAsync();
        // Without a propagator the client makes no spans of its own: what arrives is the server's.
        using var handler = new SocketsHttpHandler { ActivityHeadersPropagator = null };
        using var client = new HttpClient(handler) { BaseAddress = new Uri(app.Urls.Single()) };

        Assert.Equal("packed", await client.GetStringAsync(new Uri("/orders", UriKind.Relative)));
        await client.GetStringAsync(new Uri("/health", UriKind.Relative));
        await app.StopAsync(); // Flushes.
        await app.DisposeAsync();

        var traces = collector.Received("/v1/traces");
        Assert.Contains("pack-the-order", traces, StringComparison.Ordinal);
        Assert.Contains("shop-1", traces, StringComparison.Ordinal);
        // Spans of servers have a url.path: the clients of tests that run beside this one call a /health too.
        Assert.Matches(PathAttribute("/orders"), traces);
        Assert.DoesNotMatch(PathAttribute("/health"), traces);
        Assert.Contains("kestrel.", collector.Received("/v1/metrics"), StringComparison.Ordinal);
        Assert.Contains("Order 42 is packed", collector.Received("/v1/logs"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Export_ServiceHostsAnActor_SendsTheSpansOfItsCalls()
    {
        await using var collector = await Collector.StartAsync();
        var builder = Host.CreateApplicationBuilder();
        builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.Address;
        builder.Configuration["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf";
        builder.AddServiceDefaults();
        await using var server = new Actors.ActorServer(new Actors.ActorServerOptions { Announcements = TextWriter.Null });
        server.Register("exported", new ActorCallTests.Calculator());
        await server.StartAsync();
        using var host = builder.Build();
        await host.StartAsync();
        using (var client = new Actors.ActorClient<ActorCallTests.ICalculator>(server.Address.ToString(), "exported", server.Token))
        {
            await client.Actor.Add(2, 3);
        }

        await host.StopAsync(); // Flushes.

        Assert.Contains("exported.Add", collector.Received("/v1/traces"), StringComparison.Ordinal);
    }

    /// <summary>The attribute as it lies in the message: its name, some bytes of lengths, its value.</summary>
    private static Regex PathAttribute(string path) => new($"url\\.path.{{1,8}}{path}", RegexOptions.Singleline, TimeSpan.FromSeconds(5));

    [Fact]
    public void Export_NoEndpoint_AddsNoExporter()
    {
        var builder = Host.CreateApplicationBuilder();

        builder.ConfigureOpenTelemetry();

        Assert.DoesNotContain(builder.Services, service => service.ServiceType == typeof(IHostedService));
    }

    /// <summary>Accepts OTLP over HTTP and keeps the bytes: names and texts are readable in protobuf.</summary>
    private sealed class Collector(WebApplication app) : IAsyncDisposable
    {
        private readonly ConcurrentDictionary<string, string> _received = new(StringComparer.Ordinal);

        public string Address => app.Urls.Single();

        public static async Task<Collector> StartAsync()
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            var app = builder.Build();
            var collector = new Collector(app);
            app.MapPost("{**path}", async (HttpContext context) =>
            {
                using var body = new MemoryStream();
                await context.Request.Body.CopyToAsync(body);
                var text = Encoding.UTF8.GetString(body.ToArray());
                collector._received.AddOrUpdate(context.Request.Path, text, (_, before) => before + text);
            });
            await app.StartAsync();
            return collector;
        }

        public string Received(string path) => _received.GetValueOrDefault(path, "");

        public ValueTask DisposeAsync() => app.DisposeAsync();
    }
}
