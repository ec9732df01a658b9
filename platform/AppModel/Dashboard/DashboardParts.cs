using System.Security.Cryptography;
using System.Text;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Dashboard;

/// <summary>What the dashboard shows and does, whoever serves it.</summary>
internal sealed class DashboardParts(
    DistributedApplicationModel model, ResourceBoard resources, CommandDesk commands, TelemetryFeed telemetry, RunArchive runs, SourceNames names, TimeProvider time) : IAsyncDisposable
{
    private HostDirectory? _directory;

    public DistributedApplicationModel Model => model;

    public SourceNames Names => names;

    public RunArchive Runs => runs;

    public TelemetryFeed Telemetry => telemetry;

    public ResourceBoard Resources => resources;

    public CommandDesk Commands => commands;

    public TimeProvider Time => time;

    /// <summary>Finds what earlier runs have left, and the secrets among it.</summary>
    public KeptSecrets Open(DashboardOptions options, AppHostIdentity identity, Action<string> onProblem)
    {
        try
        {
            _directory ??= HostDirectory.Open(options.Home, identity.Path);
            runs.Open(_directory);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            onProblem(exception.Message);
        }

        return new KeptSecrets(
            options.BrowserToken ?? _directory?.Secret("browser-token") ?? HostDirectory.NewSecret(),
            options.OtlpApiKey ?? _directory?.Secret("otlp-api-key") ?? HostDirectory.NewSecret(),
            Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(_directory?.Path ?? identity.Path)))[..8]);
    }

    public async ValueTask DisposeAsync()
    {
        await runs.DisposeAsync();
        _directory?.Dispose();
    }
}
