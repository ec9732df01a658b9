using Fluster.Controller;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Fluster.Local;

/// <summary>The controller as it runs by itself, without what a program of its own has: settings files, the environment, signals, the console.</summary>
internal sealed class ControllerInProcess : IAsyncDisposable
{
    private static readonly TimeSpan s_tokenLifetime = TimeSpan.FromDays(30);

    private readonly WebApplication _app;

    private ControllerInProcess(WebApplication app, ClusterDirectory directory, Namespace @namespace)
    {
        _app = app;
        var served = app.Services.GetRequiredService<ServedAddresses>();
        (GrpcAddress, HttpAddress) = (Here(served.Grpc), Here(served.Http));
        var certificate = app.Services.GetRequiredService<ServerCertificate>().Hash;
        ClientOptions = new FlusterClientOptions
        {
            Address = GrpcAddress,
            Token = Tokens.Sign(directory.Key, new TokenClaims { Role = TokenRoles.Admin, Namespace = @namespace.ToString(), CertificateHash = certificate, ExpiresAt = 0 }, s_tokenLifetime),
            ClusterKey = directory.Key.ExportPublicPem(),
            CertificateHash = certificate,
            Namespace = @namespace,
            ExpectController = true,
            Source = "a LocalCluster",
        };
    }

    public string GrpcAddress { get; }

    public string HttpAddress { get; }

    public FlusterClientOptions ClientOptions { get; }

    /// <exception cref="LocalClusterException">Its directory cannot be used.</exception>
    public static Task<ControllerInProcess> StartAsync(ClusterDirectory directory, LocalClusterOptions options, CancellationToken cancellationToken) =>
        StartAsync(directory, options, settings: [], cancellationToken);

    /// <param name="directory">Where its data are.</param>
    /// <param name="options">Its namespace and where it logs.</param>
    /// <param name="settings">More of its configuration; stronger than what is usual here.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="LocalClusterException">Its directory or its settings cannot be used.</exception>
    public static async Task<ControllerInProcess> StartAsync(ClusterDirectory directory, LocalClusterOptions options, Dictionary<string, string?> settings, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = typeof(ControllerApp).Assembly.GetName().Name });
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            [$"{ControllerOptions.Section}:{nameof(ControllerOptions.DataDirectory)}"] = directory.Controller,
            [$"{ControllerOptions.Section}:{nameof(ControllerOptions.ClusterKey)}"] = directory.Key.ExportPrivatePem(),
            [$"{ControllerOptions.Section}:{nameof(ControllerOptions.KillJobsOnShutdown)}"] = "true",
            ["Kestrel:Endpoints:grpc:Url"] = "http://127.0.0.1:0",
            ["Kestrel:Endpoints:grpc:Protocols"] = "Http2",
            ["Kestrel:Endpoints:http:Url"] = "http://127.0.0.1:0",
            ["Kestrel:Endpoints:http:Protocols"] = "Http1",
        });
        builder.Configuration.AddInMemoryCollection(settings);
        builder.WebHost.UseKestrel((context, kestrel) => kestrel.Configure(context.Configuration.GetSection("Kestrel")));
        builder.Services.AddRouting();
        HostInProcess.Prepare(builder.Services, options.LoggerFactory);
        WebApplication? app = null;
        try
        {
            // What a program of its own dies of is told to whoever uses the cluster by calls that fail.
            app = ControllerApp.Build(builder, onFatal: exception => _ = app?.StopAsync(CancellationToken.None));
            await app.StartAsync(cancellationToken).ConfigureAwait(false);
            return new ControllerInProcess(app, directory, options.Namespace);
        }
        catch (Exception exception)
        {
            if (app is not null)
            {
                await app.DisposeAsync().ConfigureAwait(false);
            }

            throw exception is StoreException or OptionsValidationException or IOException
                ? new LocalClusterException($"The controller of a LocalCluster cannot start: {exception.Message}", exception)
                : exception;
        }
    }

    /// <summary>One of its parts.</summary>
    public T Get<T>()
        where T : notnull => _app.Services.GetRequiredService<T>();

    /// <summary>From this computer, whatever others it listens for.</summary>
    private static string Here(string address) =>
        address.Replace("://[::]:", "://127.0.0.1:", StringComparison.Ordinal).Replace("://0.0.0.0:", "://127.0.0.1:", StringComparison.Ordinal).Replace("://*:", "://127.0.0.1:", StringComparison.Ordinal);

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(CancellationToken.None).ConfigureAwait(false);
        await _app.DisposeAsync().ConfigureAwait(false);
    }
}
