using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using Microsoft.Extensions.Logging;

namespace Fluster.Worker;

/// <summary>Has the launcher start programs, and starts another launcher when that one dies.</summary>
[SupportedOSPlatform("linux")]
internal sealed partial class ProcessLauncher(Ward ward, DescriptorPump pump, ILogger<ProcessLauncher> logger) : IDisposable
{
    /// <summary>The argument that makes this program a launcher.</summary>
    public const string Argument = "--launcher";

    private const int StartTries = 3;

    /// <summary>Before another one is started, should launchers die as soon as they live.</summary>
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(200);

    private readonly Lock _gate = new();
    private HelperProcess? _process;
    private int _socket = -1;
    private bool _disposed;

    /// <summary>The launcher's process; null when none runs.</summary>
    public int? ProcessId => _process is { Exited.IsCompleted: false } running ? running.Id : null;

    /// <summary>Starts the launcher and waits until it serves.</summary>
    /// <exception cref="IOException">It does not start.</exception>
    public void Start()
    {
        lock (_gate)
        {
            Try(Connect);
        }
    }

    /// <summary>Has a program started. The descriptors for its output become the launcher's and are closed here.</summary>
    public LaunchedProgram Launch(LaunchRequest request, int stdout, int stderr)
    {
        var program = new LaunchedProgram();
        var (news, newsEnd) = Libc.Pipe();
        try
        {
            lock (_gate)
            {
                Try(() =>
                {
                    Connect();
                    FdChannel.Send(_socket, request.ToBytes(), [stdout, stderr, newsEnd]); // it starts what it has received whole
                });
            }

            pump.Add(news, new NewsReader(program));
            return program;
        }
        catch
        {
            _ = Libc.close(news);
            throw;
        }
        finally
        {
            _ = Libc.close(newsEnd);
            _ = Libc.close(stdout);
            _ = Libc.close(stderr);
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            Disconnect();
        }
    }

    /// <summary>Somebody may have killed the launcher just now; one that really cannot run fails every time.</summary>
    private void Try(Action act)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                act();
                return;
            }
            catch (IOException) when (tries < StartTries)
            {
                Disconnect();
            }
        }
    }

    private unsafe void Connect()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_socket >= 0 && _process is { Exited.IsCompleted: false })
        {
            return;
        }

        if (_process is { } dead)
        {
            dead.Kill(); // it may be dead already, and not reaped
            Log.LauncherDied(logger, dead.Id, dead.Exited.Result);
            Disconnect();
            _process = null;
        }

        var (ours, theirs) = Libc.SocketPair();
        try
        {
            _process = HelperProcess.Start([Argument, .. ward.ToArguments()], theirs, $"{FlusterEnvironment.AttemptMarker}={ward.LauncherMark}");
        }
        finally
        {
            _ = Libc.close(theirs);
        }

        _socket = ours;
        var ready = (byte)0;
        while (Libc.read(ours, &ready, 1) < 0 && Marshal.GetLastPInvokeError() == Libc.Eintr)
        {
        }

        if (ready == 0)
        {
            Disconnect();
            throw new IOException("The launcher process did not start; what it wrote is on the worker's standard error.");
        }

        Log.LauncherStarted(logger, _process.Id);
        var started = _process;
        _ = Detached.Run(() => ReplaceAsync(started));
    }

    /// <summary>Starts another one when this one dies, so that the next program need not wait for it. Whoever launches before that does so itself.</summary>
    private async Task ReplaceAsync(HelperProcess process)
    {
        await process.Exited;
        await Task.Delay(s_pause, TimeProvider.System);
        lock (_gate)
        {
            if (_disposed || _process != process)
            {
                return;
            }

            try
            {
                Connect();
            }
            catch (IOException)
            {
                // The next program tries again, and tells why it does not work.
            }
        }
    }

    private void Disconnect()
    {
        if (_socket >= 0)
        {
            _ = Libc.close(_socket); // a live launcher takes it as the worker's end: it clears up and goes
            _socket = -1;
        }
    }

    private sealed class NewsReader(LaunchedProgram program) : DescriptorReader
    {
        private readonly byte[] _partial = new byte[LaunchNews.Size];
        private int _length;

        public override void Read(ReadOnlySpan<byte> data)
        {
            while (!data.IsEmpty)
            {
                var taken = Math.Min(data.Length, LaunchNews.Size - _length);
                data[..taken].CopyTo(_partial.AsSpan(_length));
                data = data[taken..];
                _length += taken;
                if (_length == LaunchNews.Size)
                {
                    var words = MemoryMarshal.Cast<byte, int>(_partial);
                    program.Tell(new LaunchNews((LaunchNewsKind)words[0], words[1], words[2]));
                    _length = 0;
                }
            }
        }

        public override void End() => program.End();
    }

    private static partial class Log
    {
        [LoggerMessage(230, LogLevel.Debug, "The launcher runs as process {ProcessId}.")]
        public static partial void LauncherStarted(ILogger logger, int processId);

        [LoggerMessage(231, LogLevel.Warning, "The launcher, process {ProcessId}, died (wait status {Status}). Another one is started.")]
        public static partial void LauncherDied(ILogger logger, int processId, int status);
    }
}
