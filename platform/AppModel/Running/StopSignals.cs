using System.Runtime.InteropServices;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.Running;

/// <summary>
/// Reasons to stop besides those that every host knows: the terminal closes; "dotnet run", under which the AppHost
/// was started, is killed. A second Ctrl+C stops waiting: the guard kills what is left.
/// </summary>
internal sealed class StopSignals : IDisposable
{
    private const int Interrupted = 130;

    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly ITimer? _parentWatch;
    private int _interrupts;

    public StopSignals(IHostApplicationLifetime lifetime)
    {
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true;
            lifetime.StopApplication();
        }));
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, _ =>
        {
            if (Interlocked.Increment(ref _interrupts) > 1)
            {
                Environment.Exit(Interrupted);
            }
        }));
        if (OperatingSystem.IsLinux() && NativeMethods.ParentId() is var parent && IsDotnetRun(parent))
        {
            _parentWatch = TimeProvider.System.CreateTimer(
                _ =>
                {
                    if (NativeMethods.ParentId() != parent)
                    {
                        lifetime.StopApplication();
                    }
                },
                state: null,
                s_interval,
                s_interval);
        }
    }

    public void Dispose()
    {
        _parentWatch?.Dispose();
        foreach (var registration in _registrations)
        {
            registration.Dispose();
        }
    }

    private static bool IsDotnetRun(int pid) =>
        ProcessTable.CommandLine(pid).Split(' ') is [var program, .. var arguments]
        && Path.GetFileName(program) == "dotnet"
        && arguments.Any(argument => argument is "run" or "watch");
}
