using System.Net;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Fluster.Tests;

/// <summary>A Kestrel in this process, on a free loopback port.</summary>
internal sealed class GrpcTestServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private GrpcTestServer(WebApplication app)
    {
        _app = app;
        Address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
    }

    public string Address { get; }

    public IServiceProvider Services => _app.Services;

    /// <summary>Starts a server that speaks <paramref name="protocols"/> without TLS.</summary>
    public static async Task<GrpcTestServer> StartAsync(
        Action<WebApplicationBuilder> services, Action<WebApplication> endpoints, HttpProtocols protocols = HttpProtocols.Http2)
    {
        // Empty: the settings of whatever program lies beside the tests are not this server's.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = protocols));
        builder.Services.AddGrpc();
        services(builder);
        var app = builder.Build();
        endpoints(app);
        await app.StartAsync();
        return new GrpcTestServer(app);
    }

    public GrpcChannel Connect() => GrpcChannel.ForAddress(Address);

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
