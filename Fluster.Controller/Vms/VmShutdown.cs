using Microsoft.Extensions.Options;

namespace Fluster.Controller;

/// <summary>Releases the machines of a controller that is asked to stop, where that is wanted (<see cref="ControllerOptions.ReleaseMachinesOnShutdown"/>).</summary>
internal sealed partial class VmShutdown(VmFarewell farewell, IOptions<ControllerOptions> options, ILogger<VmShutdown> logger) : IHostedLifecycleService
{
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        if (options.Value.ReleaseMachinesOnShutdown is not { Ticks: > 0 } patience)
        {
            return;
        }

        foreach (var left in await farewell.ReleaseAllAsync(patience, cancellationToken))
        {
            Log.Left(logger, left.Name.Length > 0 ? left.Name : "A machine", left.Backend, left.Why);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static partial class Log
    {
        [LoggerMessage(189, LogLevel.Warning, "{Vm} of {Backend} may be there still: {Why}.")]
        public static partial void Left(ILogger logger, string vm, string backend, string why);
    }
}
