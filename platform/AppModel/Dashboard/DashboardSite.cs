using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Dashboard;

/// <summary>The web server of the dashboard, started, with its pages.</summary>
internal sealed class DashboardSite : IAsyncDisposable
{
    private readonly WebApplication _app;

    private DashboardSite(WebApplication app, IReadOnlyList<string> addresses, string otlpAddress) => (_app, Addresses, OtlpAddress) = (app, addresses, otlpAddress);

    /// <summary>Where pages are.</summary>
    public IReadOnlyList<string> Addresses { get; }

    /// <summary>Where telemetry is taken.</summary>
    public string OtlpAddress { get; }

    /// <exception cref="IOException">An address is taken.</exception>
    /// <exception cref="InvalidOperationException">There is no certificate for an https address.</exception>
    public static async Task<DashboardSite> StartAsync(IReadOnlyList<ListenAddress> addresses, DashboardOptions options, AppHostIdentity identity, KeptSecrets kept, DashboardParts parts)
    {
        var otlp = options.OtlpAddress is { } wish ? ListenAddress.Parse(wish) : null;
        if (otlp is null && addresses.All(address => address.IsHttps))
        {
            otlp = ListenAddress.Free; // Resources need not trust a certificate to send telemetry.
        }

        var app = Build([.. addresses, .. otlp is null || addresses.Contains(otlp) ? [] : new[] { otlp }]);
        try
        {
            var login = options.AllowsAnonymous ? null : new BrowserLogin(kept.BrowserToken, kept.CookieName, parts.Time);
            RequestGate.Use(app, login);
            app.UseRouting();
            Map(app, login, identity, kept, parts);
            await app.StartAsync();
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }

        var bound = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Select(Readable).ToList();
        return new DashboardSite(app, otlp is null ? bound : bound[..^1], bound.FindLast(address => address.StartsWith("http:", StringComparison.Ordinal)) ?? bound[^1]);
    }

    public Task StopAsync(CancellationToken cancellationToken) => _app.StopAsync(cancellationToken);

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static WebApplication Build(IReadOnlyList<ListenAddress> addresses)
    {
        // Nothing but what is needed, and none of the AppHost's own settings: they say where resources listen.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddLogging();
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore();
        if (addresses.Any(address => address.IsHttps))
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
        }

        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = 32 << 20;
            foreach (var address in addresses)
            {
                address.Apply(kestrel);
            }
        });
        return builder.Build();
    }

    private static void Map(WebApplication app, BrowserLogin? login, AppHostIdentity identity, KeptSecrets kept, DashboardParts parts)
    {
        var pages = new PageWriter(app.Services, app.Services.GetRequiredService<ILoggerFactory>());
        var frames = new Frames(identity.Name, login is not null, parts.Runs, pages);
        DashboardAssets.Map(app);
        new LoginPages(login, pages, identity.Name).Map(app);
        new ResourcePages(parts.Resources, parts.Commands, pages, frames).Map(app);
        new ConsolePages(parts.Runs, parts.Model, parts.Names, pages, frames).Map(app);
        new TelemetryPages(parts.Runs, pages, frames).Map(app);
        new OtlpReceiver(parts.Telemetry, kept.OtlpApiKey).Map(app);
        app.MapFallback(async context =>
        {
            var answer = await frames.MissingAsync(context, $"There is no page {context.Request.Path}.");
            await answer.ExecuteAsync(context);
        });
    }

    // An address that people can open: 0.0.0.0 is none.
    private static string Readable(string address) => address
        .Replace("://0.0.0.0", "://localhost", StringComparison.Ordinal)
        .Replace("://[::]", "://localhost", StringComparison.Ordinal)
        .TrimEnd('/');
}
