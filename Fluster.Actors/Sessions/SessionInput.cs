namespace Fluster.Actors;

#pragma warning disable CA2012 // The one receive that is under way is kept until its continuation takes the result, once.

/// <summary>
/// The receiving side of one connection. Takes frames apart and hands them over, in their order. What they make ready to run is run here only
/// after the next receive was begun: the thread that read is then free, and nobody's code holds up the reading.
/// </summary>
internal abstract class SessionInput
{
    private const int BufferSize = 128 * 1024;

    /// <summary>Frames up to this are waited for as a whole.</summary>
    private const int MostWhole = 64 * 1024;

    private const int SmallReceive = 512;

    private readonly SessionTransport _transport;
    private readonly TimeProvider _time;
    private readonly Action _received;
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(BufferSize);
    private readonly List<IThreadPoolWorkItem> _ready = [];
    private ValueTask<int> _receiving;
    private FrameHeader _header;
    private PayloadAssembler? _assembler;
    private int _start;
    private int _end;
    private int _bodyLeft;
    private Memory<byte> _direct;
    private bool _moreFollows;
    private bool _ended;

    protected SessionInput(SessionTransport transport, TimeProvider time)
    {
        _transport = transport;
        _time = time;
        LastHeard = time.GetTimestamp();
        _received = Received;
    }

    /// <summary>When bytes were received last: a timestamp of the clock.</summary>
    public long LastHeard { get; private set; }

    /// <summary>Begins to read. Bytes that somebody received already come first.</summary>
    public void Start(ReadOnlySpan<byte> already)
    {
        already.CopyTo(_buffer);
        _end = already.Length;
        Loop(received: 0);
    }

    /// <summary>A frame that is here as a whole.</summary>
    protected abstract void OnFrame(FrameHeader header, ReadOnlySpan<byte> body);

    /// <summary>The beginning of a frame with a message that is longer, at least the head and the table of its payload.</summary>
    /// <param name="header">The frame.</param>
    /// <param name="body">What is here of it.</param>
    /// <param name="used">The bytes that were read: all before the payload's content.</param>
    /// <returns>What the content goes into.</returns>
    protected abstract PayloadAssembler OnBegin(FrameHeader header, ReadOnlySpan<byte> body, out int used);

    /// <summary>What the content of a data frame goes into; null when nobody waits for it.</summary>
    protected abstract PayloadAssembler? OnData(FrameHeader header);

    /// <summary>A message has arrived as a whole.</summary>
    protected abstract void OnComplete(FrameHeader header, PayloadAssembler assembler);

    /// <summary>The connection has ended.</summary>
    protected abstract void OnEnd(Exception? exception);

    /// <summary>Runs this after what was received has been read.</summary>
    protected void Run(IThreadPoolWorkItem item) => _ready.Add(item);

    private void Received()
    {
        int count;
        try
        {
            count = _receiving.GetAwaiter().GetResult();
        }
        catch (Exception exception) when (exception is IOException or System.Net.Sockets.SocketException or ObjectDisposedException or OperationCanceledException)
        {
            End(exception);
            return;
        }

        if (count == 0)
        {
            End(exception: null);
            return;
        }

        Loop(count);
    }

    private void Loop(int received)
    {
        try
        {
            while (true)
            {
                Account(received);
                Parse();

                var room = NextRoom();
                _receiving = _transport.ReceiveAsync(room);
                if (!_receiving.IsCompleted)
                {
                    // From here on another thread may be reading: what is ready is taken out first.
                    var (inline, others) = TakeReady();
                    _receiving.GetAwaiter().UnsafeOnCompleted(_received);
                    Run(inline, others);
                    return;
                }

                received = _receiving.GetAwaiter().GetResult();
                if (received == 0)
                {
                    End(exception: null);
                    return;
                }

                QueueReady();
            }
        }
        catch (Exception exception) when (exception is IOException or System.Net.Sockets.SocketException or ObjectDisposedException or OperationCanceledException
            or SessionProtocolException or Google.Protobuf.InvalidProtocolBufferException)
        {
            End(exception);
        }
    }

    private void End(Exception? exception)
    {
        if (_ended)
        {
            return;
        }

        _ended = true;
        QueueReady();
        _assembler = null;
        OnEnd(exception);
    }

    private void Account(int received)
    {
        if (received > 0)
        {
            LastHeard = _time.GetTimestamp();
        }

        if (_direct.IsEmpty)
        {
            _end += received;
            return;
        }

        // What follows the frame is the next one's beginning. It goes where that is read; its place in the array is for the next frame's bytes.
        var part = Math.Min(received, _bodyLeft);
        _direct[part..received].CopyTo(_buffer);
        _end = received - part;
        _direct = default;
        _bodyLeft -= part;
        _assembler!.Advance(part);
        EndBody();
    }

    private void Parse()
    {
        while (true)
        {
            if (_bodyLeft > 0)
            {
                var part = Math.Min(_bodyLeft, _end - _start);
                if (part == 0)
                {
                    return;
                }

                _assembler?.Add(_buffer.AsSpan(_start, part));
                _start += part;
                _bodyLeft -= part;
                EndBody();
                continue;
            }

            if (_end - _start < FrameHeader.Size)
            {
                return;
            }

            var header = FrameHeader.Read(_buffer.AsSpan(_start));
            var here = _end - _start - FrameHeader.Size;
            if (header.Type == FrameType.Data)
            {
                _start += FrameHeader.Size;
                Begin(header, OnData(header), header.Length);
            }
            else if (header.IsPart)
            {
                // The head and the table are at most some kilobytes, and are alone in the first frame of a long message.
                if (here < header.Length && here < MostWhole)
                {
                    return;
                }

                var body = _buffer.AsSpan(_start + FrameHeader.Size, Math.Min(here, header.Length));
                var assembler = OnBegin(header, body, out var used);
                _start += FrameHeader.Size + used;
                Begin(header, assembler, header.Length - used);
            }
            else
            {
                if (header.Length > MostWhole)
                {
                    throw new SessionProtocolException($"A frame of {header.Length} bytes is not marked as a part.");
                }

                if (here < header.Length)
                {
                    return;
                }

                OnFrame(header, _buffer.AsSpan(_start + FrameHeader.Size, header.Length));
                _start += FrameHeader.Size + header.Length;
            }
        }
    }

    private void Begin(FrameHeader header, PayloadAssembler? assembler, int length)
    {
        (_header, _assembler, _bodyLeft, _moreFollows) = (header, assembler, length, header.IsPart);
        EndBody();
    }

    private void EndBody()
    {
        if (_bodyLeft == 0 && _assembler is { } assembler)
        {
            _assembler = null;
            if (assembler.IsComplete)
            {
                OnComplete(_header, assembler);
            }
        }
    }

    private Memory<byte> NextRoom()
    {
        if (_start == _end)
        {
            _start = _end = 0;
            if (_bodyLeft > 0 && _assembler?.NextRoom() is { Length: > 0 } room)
            {
                // The header of the next frame comes in the same go: alone it would be one more receive, and often one more wait.
                _direct = room[..Math.Min(room.Length, _moreFollows ? _bodyLeft + FrameHeader.Size : _bodyLeft)];
                return _direct;
            }
        }
        else if (_buffer.Length - _end < MostWhole)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        // Between two frames of a long message only a little is received beside its place: it would have to be copied.
        return _moreFollows && _end - _start < FrameHeader.Size ? _buffer.AsMemory(_end, SmallReceive) : _buffer.AsMemory(_end);
    }

    private (IThreadPoolWorkItem? Inline, IThreadPoolWorkItem[] Others) TakeReady()
    {
        if (_ready.Count == 0)
        {
            return (null, []);
        }

        var inline = _ready[^1];
        IThreadPoolWorkItem[] others = _ready.Count == 1 ? [] : [.. _ready[..^1]];
        _ready.Clear();
        return (inline, others);
    }

    private static void Run(IThreadPoolWorkItem? inline, IThreadPoolWorkItem[] others)
    {
        foreach (var item in others)
        {
            ThreadPool.UnsafeQueueUserWorkItem(item, preferLocal: false);
        }

        inline?.Execute();
    }

    private void QueueReady()
    {
        foreach (var item in _ready)
        {
            ThreadPool.UnsafeQueueUserWorkItem(item, preferLocal: false);
        }

        _ready.Clear();
    }
}
