using Fluster.Controller;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace Fluster.Tests;

/// <summary>Where a controller listens is told when it does: machines that were owed before a restart were made with no address, and their workers never came.</summary>
public class ServedAddressesTests
{
    [Fact]
    public async Task Addresses_AreWaitedFor_UntilTheControllerListens()
    {
        using var listens = new CancellationTokenSource();
        var server = new Server();
        var addresses = Addresses(listens.Token, server);
        var listening = addresses.ListeningAsync(CancellationToken.None);
        server.Addresses.Add("http://127.0.0.1:7071"); // the first of two
        Assert.False(listening.IsCompleted);

        server.Addresses.Add("http://127.0.0.1:7070");
        await listens.CancelAsync();

        await listening.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(("http://127.0.0.1:7070", "http://127.0.0.1:7071"), (addresses.Http, addresses.Grpc));
    }

    [Fact]
    public async Task Wait_ThatIsGivenUp_Ends()
    {
        using var given = new CancellationTokenSource();
        var listening = Addresses(CancellationToken.None).ListeningAsync(given.Token);

        await given.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => listening);
    }

    /// <param name="listens">Cancelled when it does.</param>
    /// <param name="server">Where it says so.</param>
    internal static ServedAddresses Addresses(CancellationToken listens, IServer? server = null)
    {
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection([new("Kestrel:Endpoints:grpc:Url", "http://127.0.0.1:7071"), new("Kestrel:Endpoints:http:Url", "http://127.0.0.1:7070")])
            .Build();
        return new ServedAddresses(server ?? new Server(), configuration, new Lifetime(listens));
    }

    private sealed class Server : IServer
    {
        public Server() => Features.Set<IServerAddressesFeature>(new Feature(Addresses));

        public List<string> Addresses { get; } = [];

        public IFeatureCollection Features { get; } = new FeatureCollection();

        public Task StartAsync<TContext>(IHttpApplication<TContext> application, CancellationToken cancellationToken)
            where TContext : notnull => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public void Dispose()
        {
        }

        private sealed class Feature(ICollection<string> addresses) : IServerAddressesFeature
        {
            public ICollection<string> Addresses => addresses;

            public bool PreferHostingUrls { get; set; }
        }
    }

    private sealed class Lifetime(CancellationToken started) : IHostApplicationLifetime
    {
        public CancellationToken ApplicationStarted => started;

        public CancellationToken ApplicationStopping => CancellationToken.None;

        public CancellationToken ApplicationStopped => CancellationToken.None;

        public void StopApplication()
        {
        }
    }
}
