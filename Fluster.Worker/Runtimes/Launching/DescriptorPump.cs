using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using Microsoft.Extensions.Logging;

namespace Fluster.Worker;

/// <summary>Receives what a descriptor carries. Called on the pump's thread only.</summary>
internal abstract class DescriptorReader
{
    /// <summary>When <see cref="Due"/> wants to be called, on the pump's clock; null: not at all.</summary>
    public virtual TimeSpan? DueAt => null;

    public abstract void Read(ReadOnlySpan<byte> data);

    /// <summary>Nothing more will come; the descriptor is closed.</summary>
    public abstract void End();

    public virtual void Due(TimeSpan now)
    {
    }
}

/// <summary>
/// Reads all pipes of all attempts on one thread, as soon as there is something: a job never waits for the worker to read its output,
/// and no thread is spent on waiting per pipe.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed unsafe partial class DescriptorPump : IDisposable
{
    /// <summary>Read from one pipe before the others have their turn.</summary>
    private const int TurnLength = 256 * 1024;

    private const int BufferLength = 64 * 1024;

    private readonly TimeProvider _time;
    private readonly ILogger<DescriptorPump> _logger;
    private readonly Lock _gate = new();
    private readonly List<Action> _posted = []; // under _gate
    private readonly List<(int Descriptor, DescriptorReader Reader)> _sources = []; // the pump's thread only
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(BufferLength, pinned: true);
    private readonly (int Read, int Write) _wake = Libc.Pipe();
    private readonly Thread _thread;
    private bool _disposed;

    public DescriptorPump(TimeProvider time, ILogger<DescriptorPump> logger)
    {
        _time = time;
        _logger = logger;
        _thread = new Thread(Run) { IsBackground = true, Name = "pump" };
        _thread.UnsafeStart();
    }

    /// <summary>Reads this descriptor until its end and closes it then.</summary>
    public void Add(int descriptor, DescriptorReader reader) => Post(() => _sources.Add((descriptor, reader)));

    /// <summary>
    /// Reads what is there now and takes that as the end, although somebody may still hold the other end. Completes after
    /// <see cref="DescriptorReader.End"/> has run; at once when it has before.
    /// </summary>
    public Task FinishAsync(DescriptorReader reader) => RunAsync(() =>
    {
        if (_sources.FindIndex(source => source.Reader == reader) is var index and >= 0)
        {
            while (ReadOnce(index) == ReadResult.Data)
            {
            }

            Remove(index);
        }
    });

    /// <summary>Runs an action between reads, where no reader is called at the same time.</summary>
    public Task RunAsync(Action action)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(() =>
        {
            action();
            done.SetResult();
        });
        return done.Task;
    }

    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
        }

        Wake();
        _thread.Join();
        foreach (var (descriptor, _) in _sources)
        {
            _ = Libc.close(descriptor);
        }

        _ = Libc.close(_wake.Read);
        _ = Libc.close(_wake.Write);
    }

    private void Post(Action action)
    {
        bool wake;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _posted.Add(action);
            wake = _posted.Count == 1;
        }

        if (wake)
        {
            Wake();
        }
    }

    private void Wake()
    {
        var one = (byte)1;
        _ = Libc.write(_wake.Write, &one, 1);
    }

    private void Run()
    {
        var fds = new Libc.PollFd[16];
        while (!_disposed)
        {
            if (fds.Length < _sources.Count + 1)
            {
                fds = new Libc.PollFd[Math.Max(_sources.Count + 1, fds.Length * 2)];
            }

            fds[0] = new Libc.PollFd { Fd = _wake.Read, Events = Libc.PollIn };
            for (var i = 0; i < _sources.Count; i++)
            {
                fds[i + 1] = new Libc.PollFd { Fd = _sources[i].Descriptor, Events = Libc.PollIn };
            }

            var count = _sources.Count;
            fixed (Libc.PollFd* start = fds)
            {
                _ = Libc.poll(start, (nuint)count + 1, TimeoutMilliseconds());
            }

            // From the last to the first, so that removing one does not move those that are still to come.
            for (var i = count - 1; i >= 0; i--)
            {
                if (fds[i + 1].Returned != 0)
                {
                    ReadTurn(i);
                }
            }

            if (fds[0].Returned != 0)
            {
                RunPosted();
            }

            CallDue();
        }
    }

    private void ReadTurn(int index)
    {
        for (var total = 0; total < TurnLength; total += BufferLength)
        {
            switch (ReadOnce(index))
            {
                case ReadResult.Nothing:
                    return;
                case ReadResult.End:
                    Remove(index);
                    return;
            }
        }
    }

    private ReadResult ReadOnce(int index)
    {
        var (descriptor, reader) = _sources[index];
        var count = Libc.read(descriptor, (void*)Marshal.UnsafeAddrOfPinnedArrayElement(_buffer, 0), BufferLength);
        if (count < 0)
        {
            return Marshal.GetLastPInvokeError() is Libc.Eagain or Libc.Eintr ? ReadResult.Nothing : ReadResult.End;
        }

        if (count == 0)
        {
            return ReadResult.End;
        }

        try
        {
            reader.Read(_buffer.AsSpan(0, (int)count));
        }
        catch (Exception exception)
        {
            Log.ReaderFailed(_logger, exception); // and the reading goes on: the job must not wait for it
        }

        return ReadResult.Data;
    }

    private void Remove(int index)
    {
        var (descriptor, reader) = _sources[index];
        _sources.RemoveAt(index);
        _ = Libc.close(descriptor);
        Guarded(reader.End);
    }

    private void RunPosted()
    {
        fixed (byte* start = _buffer)
        {
            _ = Libc.read(_wake.Read, start, BufferLength);
        }

        Action[] actions;
        lock (_gate)
        {
            actions = [.. _posted];
            _posted.Clear();
        }

        foreach (var action in actions)
        {
            Guarded(action);
        }
    }

    private void CallDue()
    {
        var now = Now;
        foreach (var (_, reader) in _sources)
        {
            if (reader.DueAt <= now)
            {
                Guarded(() => reader.Due(now));
            }
        }
    }

    private int TimeoutMilliseconds()
    {
        var due = TimeSpan.MaxValue;
        foreach (var (_, reader) in _sources)
        {
            due = reader.DueAt is { } at && at < due ? at : due;
        }

        return due == TimeSpan.MaxValue ? -1 : (int)Math.Clamp(Math.Ceiling((due - Now).TotalMilliseconds), 0, 1000);
    }

    /// <summary>The pump's clock: monotonic.</summary>
    public TimeSpan Now => _time.GetElapsedTime(0);

    /// <summary>One reader's fault must not end the reading for all.</summary>
    private void Guarded(Action action)
    {
        try
        {
            action();
        }
        catch (Exception exception)
        {
            Log.ReaderFailed(_logger, exception);
        }
    }

    private enum ReadResult
    {
        Nothing,
        Data,
        End,
    }

    private static partial class Log
    {
        [LoggerMessage(232, LogLevel.Error, "Reading from a job failed.")]
        public static partial void ReaderFailed(ILogger logger, Exception exception);
    }
}
