using Fluster.GcpEmulator;
using Fluster.Local;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace Fluster.Cli;

/// <summary>An emulated Google Cloud in this process, whose machines are processes below a temporary directory. However this process ends, they end with it.</summary>
internal sealed class EmulatorInProcess : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly DirectoryInfo _directory;

    private EmulatorInProcess(WebApplication app, DirectoryInfo directory) => (_app, _directory) = (app, directory);

    public Uri Address => GcpEmulatorApp.AddressOf(_app);

    /// <summary>Where the machines have their files.</summary>
    public string Directory => _directory.FullName;

    /// <param name="zones">The zones that there are.</param>
    /// <param name="loggers">Where it logs.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<EmulatorInProcess> StartAsync(IEnumerable<string> zones, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var directory = System.IO.Directory.CreateTempSubdirectory("fluster-machines-");
        if (!OperatingSystem.IsWindows())
        {
            // Attempts run as users of their own, and pass through it.
            directory.UnixFileMode |= UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
        }

        var app = GcpEmulatorApp.Build(
            ["--urls", "http://127.0.0.1:0", "--zones", string.Join(',', zones), "--run", directory.FullName],
            services => HostInProcess.Prepare(services, loggers));
        var emulator = new EmulatorInProcess(app, directory);
        try
        {
            await app.StartAsync(cancellationToken);
            return emulator;
        }
        catch
        {
            await emulator.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
        try
        {
            _directory.Delete(recursive: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It is below the system's temporary directory, which is cleared now and then.
        }
    }
}
