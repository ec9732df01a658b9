using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.ServiceDiscovery;

namespace Fluster.Tests;

/// <summary>Logical addresses become real ones as Microsoft.Extensions.ServiceDiscovery does it.</summary>
public class ServiceDiscoveryTests
{
    [Theory]
    [InlineData("http://controller", "http", "controller", null)]
    [InlineData("https+http://controller", "https,http", "controller", null)]
    [InlineData("http://_grpc.controller", "http", "controller", "grpc")]
    [InlineData("http://_grpc.controller.internal", "http", "controller.internal", "grpc")]
    [InlineData("controller", "", "controller", null)]
    [InlineData("http://_.controller", "http", "_.controller", null)]
    [InlineData("http://_grpc", "http", "_grpc", null)]
    [InlineData("http://controller:8080", "http", "controller:8080", null)]
    public void Parse_Address_GivesSchemesServiceAndEndpoint(string text, string schemes, string service, string? endpoint)
    {
        Assert.True(ServiceEndpointQuery.TryParse(text, out var query));

        Assert.Equal(schemes, string.Join(',', query.Schemes));
        Assert.Equal(service, query.ServiceName);
        Assert.Equal(endpoint, query.EndpointName);
    }

    [Theory]
    [InlineData("")]
    [InlineData("http://")]
    [InlineData("http://a b")]
    public void Parse_NotAnAddress_Fails(string text) => Assert.False(ServiceEndpointQuery.TryParse(text, out _));

    [Theory]
    // What the app model injects for a controller with the Kestrel endpoints "http" and "grpc".
    [InlineData("http://_grpc.controller", "http://127.0.0.1:5002/")]
    [InlineData("https+http://_grpc.controller", "http://127.0.0.1:5002/")]
    [InlineData("http://controller", "http://127.0.0.1:5001/")]
    // The section decides before the scheme does, and only the best scheme is kept.
    [InlineData("https+http://shop", "https://127.0.0.1:6001/")]
    [InlineData("http+https://shop", "http://127.0.0.1:6002/")]
    [InlineData("https+http://mixed", "https://127.0.0.1:7001/ 127.0.0.1:7003")]
    // "default" comes before any scheme; a single value is a list of one.
    [InlineData("http://plain", "db.internal:99")]
    [InlineData("plain", "db.internal:99")]
    // Without a scheme in the address only "default" counts; nothing found is passed through.
    [InlineData("controller", "controller")]
    [InlineData("http://_admin.controller", "_admin.controller")]
    [InlineData("http://elsewhere:81", "elsewhere:81")]
    [InlineData("http://10.0.0.7", "10.0.0.7:0")]
    public async Task Resolve_Address_GivesTheConfiguredEndpoints(string address, string expected)
    {
        await using var provider = Services(new()
        {
            ["services:controller:http:0"] = "http://127.0.0.1:5001",
            ["services:controller:grpc:0"] = "http://127.0.0.1:5002",
            ["services:shop:https:0"] = "https://127.0.0.1:6001",
            ["services:shop:http:0"] = "http://127.0.0.1:6002",
            ["services:mixed:https:0"] = "https://127.0.0.1:7001",
            ["services:mixed:https:1"] = "http://127.0.0.1:7002",
            ["services:mixed:https:2"] = "127.0.0.1:7003",
            ["services:plain:default"] = "db.internal:99",
        });

        var source = await provider.GetRequiredService<ServiceEndpointResolver>().GetEndpointsAsync(address, default);

        Assert.Equal(expected, string.Join(' ', source.Endpoints));
    }

    [Fact]
    public async Task Resolve_ListWithOtherKeys_SaysWhichKey()
    {
        await using var provider = Services(new() { ["services:a:http:first"] = "http://x" });

        var resolver = provider.GetRequiredService<ServiceEndpointResolver>();

        var error = await Assert.ThrowsAsync<KeyNotFoundException>(async () => await resolver.GetEndpointsAsync("http://a", default));
        Assert.Contains("'first'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Resolve_ConfigurationReloaded_SeesTheNewAddressAndFiresTheToken()
    {
        await using var provider = Services(new() { ["services:a:http:0"] = "http://old" });
        var configuration = (IConfigurationRoot)provider.GetRequiredService<IConfiguration>();
        var resolver = provider.GetRequiredService<ServiceEndpointResolver>();
        var before = await resolver.GetEndpointsAsync("http://a", default);

        configuration["services:a:http:0"] = "http://new";
        configuration.Reload();

        Assert.True(before.ChangeToken.HasChanged);
        Assert.Equal("[http://new/]", (await resolver.GetEndpointsAsync("http://a", default)).ToString());
    }

    [Theory]
    [InlineData("http://a/x?y=1", "https://b:7/api", "https://b:7/api/x?y=1")]
    [InlineData("https+http://a/x", "http://b:7", "http://b:7/x")]
    [InlineData("https+http://a/x", "b:7", "https://b:7/x")]
    [InlineData("http://a/x", "b", "http://b/x")]
    public void Rewrite_Address_TakesOverWhatTheEndpointSays(string logical, string endpoint, string expected)
    {
        var address = endpoint.Contains("://", StringComparison.Ordinal)
            ? (EndPoint)new UriEndPoint(new Uri(endpoint))
            : new DnsEndPoint(endpoint.Split(':')[0], endpoint.Contains(':', StringComparison.Ordinal) ? 7 : 0);

        Assert.Equal(new Uri(expected), ServiceDiscoveryHandler.Rewrite(new Uri(logical), address));
    }

    [Fact]
    public async Task HttpClient_LogicalAddress_ReachesTheEndpointsInTurn()
    {
        await using var first = await StartAsync("first");
        await using var second = await StartAsync("second");
        await using var provider = Services(new()
        {
            ["services:api:http:0"] = first.Urls.Single() + "/prefix",
            ["services:api:http:1"] = second.Urls.Single() + "/prefix",
        });
        var client = provider.GetRequiredService<IHttpClientFactory>().CreateClient();

        var answers = new List<string>();
        for (var i = 0; i < 4; i++)
        {
            answers.Add(await client.GetStringAsync(new Uri("http://api/who")));
        }

        Assert.Equal(["first /prefix/who", "second /prefix/who", "first /prefix/who", "second /prefix/who"], answers);
    }

    private static ServiceProvider Services(Dictionary<string, string?> settings)
    {
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(settings).Build());
        services.AddServiceDiscovery();
        services.ConfigureHttpClientDefaults(http => http.AddServiceDiscovery());
        return services.BuildServiceProvider();
    }

    private static async Task<WebApplication> StartAsync(string name)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.MapGet("{**path}", (HttpContext context) => $"{name} {context.Request.Path}");
        await app.StartAsync();
        return app;
    }
}
