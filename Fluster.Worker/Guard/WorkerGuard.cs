using System.Runtime.Versioning;
using Microsoft.Extensions.Logging;

namespace Fluster.Worker;

/// <summary>Keeps a guard process beside the worker: starts another one when it dies.</summary>
[SupportedOSPlatform("linux")]
internal sealed partial class WorkerGuard(Ward ward, TimeProvider time, ILogger<WorkerGuard> logger) : IDisposable
{
    /// <summary>Between two starts, should guards die as soon as they live.</summary>
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private HelperProcess? _process;
    private int _pipe = -1;

    /// <summary>The guard's process; null when none runs.</summary>
    public int? ProcessId => _process is { Exited.IsCompleted: false } running ? running.Id : null;

    public void Start()
    {
        lock (_gate)
        {
            var (end, pipe) = Libc.BlockingPipe();
            try
            {
                _process = HelperProcess.Start([GuardProcess.Argument, .. ward.ToArguments()], end);
                _pipe = pipe;
            }
            finally
            {
                _ = Libc.close(end);
            }
        }
    }

    /// <summary>Watches the guard until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await _process!.Exited.WaitAsync(cancellationToken);
            Log.GuardDied(logger, _process.Id, await _process.Exited);
            Release();
            Start();
            await Task.Delay(s_pause, time, cancellationToken);
        }
    }

    /// <summary>Lets the guard do its work: nothing is to be left. Completes when it has ended.</summary>
    public async Task EndAsync(TimeSpan patience)
    {
        Release();
        if (_process is { } process)
        {
            await Task.WhenAny(process.Exited, Task.Delay(patience, time));
        }
    }

    public void Dispose() => Release();

    private void Release()
    {
        lock (_gate)
        {
            if (_pipe >= 0)
            {
                _ = Libc.close(_pipe);
                _pipe = -1;
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(250, LogLevel.Warning, "The guard, process {ProcessId}, died (wait status {Status}). Another one is started.")]
        public static partial void GuardDied(ILogger logger, int processId, int status);
    }
}
