using Aspire.Hosting.Running;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Dashboard;

/// <summary>
/// Serves the dashboard from the AppHost's process. It starts beside the resources, which are not kept waiting but for the address of their telemetry, and ends
/// after them, so that their last words arrive. What keeps it from being served is said, and keeps nothing else from running.
/// </summary>
internal sealed partial class DashboardServer(
    DashboardOptions options,
    AppHostIdentity identity,
    DistributedApplicationExecutionContext execution,
    DashboardParts parts,
    ConsoleBoard board,
    ILogger<DistributedApplication> logger) : IHostedService, IAsyncDisposable
{
    private static readonly TimeSpan s_stopLimit = TimeSpan.FromSeconds(1);

    private readonly TaskCompletionSource<OtlpTarget?> _otlp = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _start = Task.CompletedTask;
    private DashboardSite? _site;
    private bool _isDisposed;

    /// <summary>Where resources send their telemetry; null when the dashboard is not served.</summary>
    public Task<OtlpTarget?> Otlp => options.IsServed ? _otlp.Task : Task.FromResult<OtlpTarget?>(null);

    /// <summary>The link that logs in; null while the dashboard is not served.</summary>
    public Uri? LoginLink { get; private set; }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.IsServed && execution.IsRunMode)
        {
            _start = ServeAsync();
        }
        else
        {
            _otlp.TrySetResult(null);
        }

        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _start;
        if (_site is { } site)
        {
            _site = null;
            using var limit = new CancellationTokenSource(s_stopLimit);
            await site.StopAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await site.DisposeAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            await StopAsync(CancellationToken.None);
            await parts.DisposeAsync();
        }
    }

    private async Task ServeAsync()
    {
        await Task.Yield(); // The start of the application goes on.
        try
        {
            var kept = parts.Open(options, identity, problem => Log.NotKept(logger, problem));
            var site = await StartAsync(kept);
            _site = site;
            foreach (var address in site.Addresses)
            {
                Log.Listening(logger, address);
            }

            // Not by the logger: what it is told is shown on pages, and the token is not to be.
            LoginLink = new Uri(options.AllowsAnonymous ? site.Addresses[0] : $"{site.Addresses[0]}/login?t={Uri.EscapeDataString(kept.BrowserToken)}");
            _otlp.TrySetResult(new OtlpTarget(site.OtlpAddress, kept.OtlpApiKey));
            board.WritePlainLine(options.AllowsAnonymous ? $"The dashboard is at {LoginLink}" : $"Login to the dashboard at {LoginLink}");
        }
        catch (Exception exception)
        {
            Log.NotServed(logger, exception is DistributedApplicationException ? exception.Message : exception.ToString());
        }
        finally
        {
            _otlp.TrySetResult(null);
        }
    }

    private async Task<DashboardSite> StartAsync(KeptSecrets kept)
    {
        var addresses = Addresses();
        try
        {
            return await DashboardSite.StartAsync(addresses, options, identity, kept, parts);
        }
        catch (IOException exception)
        {
            // Mostly a second AppHost of the same project: it has a dashboard of its own, elsewhere.
            Log.Taken(logger, string.Join(", ", addresses), exception.Message);
        }
        catch (InvalidOperationException exception) when (addresses.Exists(address => address.IsHttps))
        {
            Log.NoCertificate(logger, exception.Message.Split('\n')[0].TrimEnd());
            addresses.RemoveAll(address => address.IsHttps);
            if (addresses.Count > 0)
            {
                return await DashboardSite.StartAsync(addresses, options, identity, kept, parts);
            }
        }

        return await DashboardSite.StartAsync([ListenAddress.Free], options with { OtlpAddress = null }, identity, kept, parts);
    }

    private List<ListenAddress> Addresses()
    {
        var addresses = options.Addresses.Select(ListenAddress.Parse).ToList();
        foreach (var open in addresses.FindAll(address => !address.IsLoopback && !address.IsHttps && !options.AllowsUnsecuredTransport))
        {
            Log.Unsecured(logger, open);
            addresses.Remove(open);
        }

        return addresses.Count > 0 ? addresses : [ListenAddress.Free];
    }

    private static partial class Log
    {
        [LoggerMessage(630, LogLevel.Information, "Now listening on: {Address}")]
        public static partial void Listening(ILogger logger, string address);

        [LoggerMessage(631, LogLevel.Warning, "The dashboard cannot listen on {Addresses} ({Problem}) and is at a free port instead. Stop what has that port, or give another one as applicationUrl in Properties/launchSettings.json or in ASPNETCORE_URLS.")]
        public static partial void Taken(ILogger logger, string addresses, string problem);

        [LoggerMessage(632, LogLevel.Warning, "The dashboard is not served over https: {Problem} Run 'dotnet dev-certs https', or give an http address.")]
        public static partial void NoCertificate(ILogger logger, string problem);

        [LoggerMessage(633, LogLevel.Warning, "The dashboard is not served on {Address}: plain http that other machines can reach needs ASPIRE_ALLOW_UNSECURED_TRANSPORT=true. Better give an https address.")]
        public static partial void Unsecured(ILogger logger, ListenAddress address);

        [LoggerMessage(634, LogLevel.Error, "The dashboard is not served: {Problem}")]
        public static partial void NotServed(ILogger logger, string problem);

        [LoggerMessage(635, LogLevel.Warning, "What this run says will not be there after a restart: {Problem}")]
        public static partial void NotKept(ILogger logger, string problem);
    }
}

/// <summary>Where telemetry goes, and what its sender has to know.</summary>
internal sealed record OtlpTarget(string Address, string ApiKey);

/// <summary>The secrets of the dashboard, the same after a restart where they can be kept.</summary>
internal sealed record KeptSecrets(string BrowserToken, string OtlpApiKey, string CookieName);
