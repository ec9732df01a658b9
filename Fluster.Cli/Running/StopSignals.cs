using System.Runtime.InteropServices;

namespace Fluster.Cli;

/// <summary>Ctrl+C and SIGTERM: the first asks to stop, the second leaves at once.</summary>
internal sealed class StopSignals : IDisposable
{
    private const int SignalBase = 128;

    private readonly TaskCompletionSource<int> _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<PosixSignalRegistration> _registrations;

    public StopSignals() => _registrations =
    [
        PosixSignalRegistration.Create(PosixSignal.SIGINT, context => OnSignal(context, 2)),
        PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => OnSignal(context, 15)),
    ];

    /// <summary>Completes with the exit code for the first signal.</summary>
    public Task<int> First => _first.Task;

    public void Dispose() => _registrations.ForEach(registration => registration.Dispose());

    private void OnSignal(PosixSignalContext context, int number)
    {
        context.Cancel = true;
        if (!_first.TrySetResult(SignalBase + number))
        {
            Environment.Exit(SignalBase + number);
        }
    }
}
