using Google.Protobuf;

namespace Fluster.Actors;

/// <summary>
/// The sending side of one connection. Small frames are gathered and leave together; large messages are cut into frames that take turns,
/// so that none waits for another's end. Never waits: whoever appends goes on.
/// </summary>
internal sealed class SessionOutput(SessionTransport transport, Action<Exception> failed) : IThreadPoolWorkItem
{
    /// <summary>Messages up to this are copied and leave with what else is there.</summary>
    private const int MostCopied = 32 * 1024;

    private readonly Lock _lock = new();
    private readonly Queue<LargeMessage> _large = new();
    private PooledBuffer _front = new();
    private PooledBuffer _back = new();
    private TaskCompletionSource? _drained;
    private bool _sending;
    private bool _closed;

    /// <summary>Bytes that wait to be sent, large messages not counted.</summary>
    public int Waiting
    {
        get
        {
            lock (_lock)
            {
                return _front.Length + _back.Length;
            }
        }
    }

    /// <summary>Appends a frame that is whole.</summary>
    public void Append(FrameType type, int slot = 0, ulong sequence = 0, IMessage? message = null)
    {
        var length = message?.CalculateSize() ?? 0;
        lock (_lock)
        {
            if (_closed)
            {
                return;
            }

            var frame = _front.GetSpan(FrameHeader.Size + length);
            new FrameHeader(type, IsPart: false, slot, length, sequence).Write(frame);
            message?.WriteTo(frame.Slice(FrameHeader.Size, length));
            _front.Advance(FrameHeader.Size + length);
        }
    }

    /// <summary>Appends a frame of two numbers.</summary>
    public void Append(FrameType type, int slot, ulong sequence, int first, int second)
    {
        lock (_lock)
        {
            if (_closed)
            {
                return;
            }

            var frame = _front.GetSpan(FrameHeader.Size + 8);
            new FrameHeader(type, IsPart: false, slot, 8, sequence).Write(frame);
            System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(frame[FrameHeader.Size..], first);
            System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(frame[(FrameHeader.Size + 4)..], second);
            _front.Advance(FrameHeader.Size + 8);
        }
    }

    /// <summary>Appends a message with a payload. Null: it was copied. Else it is read until the returned one says that it was sent or is given up.</summary>
    public LargeMessage? Append(FrameType type, int slot, ulong sequence, ReadOnlySpan<byte> head, PayloadWriter payload, Action? sent = null)
    {
        var table = PayloadFrames.TableSize(payload.Raws.Count);
        var content = payload.Size;
        lock (_lock)
        {
            if (_closed)
            {
                return null;
            }

            var isLarge = content > MostCopied;
            var length = head.Length + table + (isLarge ? 0 : (int)content);
            var frame = _front.GetSpan(FrameHeader.Size + length);
            new FrameHeader(type, IsPart: isLarge, slot, length, sequence).Write(frame);
            var at = FrameHeader.Size;
            head.CopyTo(frame[at..]);
            at += head.Length;
            PayloadFrames.WriteTable(frame[at..], payload);
            at += table;
            if (!isLarge)
            {
                payload.Json.CopyTo(frame[at..]);
                at += payload.Json.Length;
                foreach (var raw in payload.Raws)
                {
                    raw.Bytes.Span.CopyTo(frame[at..]);
                    at += raw.Bytes.Length;
                }

                _front.Advance(at);
                return null;
            }

            _front.Advance(at);
            var large = new LargeMessage(slot, sequence, payload, sent);
            _large.Enqueue(large);
            return large;
        }
    }

    /// <summary>Sends what is there: now, on this thread, or as a work item of the pool, together with what is appended until then.</summary>
    public void Send(bool now)
    {
        lock (_lock)
        {
            if (_sending || _closed || (_front.Length == 0 && _large.Count == 0))
            {
                return;
            }

            _sending = true;
        }

        if (now)
        {
            _ = SendAsync();
        }
        else
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    /// <summary>Completes when everything that was appended is with the system, or the connection is closed.</summary>
    public Task DrainAsync()
    {
        lock (_lock)
        {
            if (_closed || (!_sending && _front.Length == 0 && _large.Count == 0))
            {
                return Task.CompletedTask;
            }

            _drained ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        Send(now: false);
        return _drained.Task;
    }

    /// <summary>Nothing more is sent.</summary>
    public void Close()
    {
        TaskCompletionSource? drained;
        lock (_lock)
        {
            _closed = true;
            _large.Clear();
            (drained, _drained) = (_drained, null);
        }

        drained?.TrySetResult();
    }

    void IThreadPoolWorkItem.Execute() => _ = SendAsync();

    private async Task SendAsync()
    {
        try
        {
            while (Next() is var (small, part, finished, more) && small.Length > 0)
            {
                if (part.Length > 0)
                {
                    // Its header is at the end of the small frames.
                    await transport.SendAsync(small, part, more).ConfigureAwait(false);
                }
                else
                {
                    await transport.SendAsync(small).ConfigureAwait(false);
                }

                finished?.Finish();
            }
        }
        catch (Exception exception) when (exception is IOException or System.Net.Sockets.SocketException or ObjectDisposedException)
        {
            Close();
            failed(exception);
        }
    }

    // What is sent next: all small frames, and one frame of the large message whose turn it is. Its header is the last of the small ones.
    private (ReadOnlyMemory<byte> Small, ReadOnlyMemory<byte> Part, LargeMessage? Finished, bool More) Next()
    {
        TaskCompletionSource? drained = null;
        lock (_lock)
        {
            _back.Clear();
            ReadOnlyMemory<byte> part = default;
            LargeMessage? finished = null;
            while (part.Length == 0 && _large.TryDequeue(out var large))
            {
                if (large.IsGivenUp)
                {
                    continue;
                }

                part = large.Next(FrameHeader.MostData);
                var isLast = large.IsAtEnd;
                new FrameHeader(FrameType.Data, IsPart: !isLast, large.Slot, part.Length, large.Sequence).Write(_front.GetSpan(FrameHeader.Size));
                _front.Advance(FrameHeader.Size);
                if (isLast)
                {
                    finished = large;
                }
                else
                {
                    _large.Enqueue(large);
                }
            }

            (_front, _back) = (_back, _front);
            if (_closed || (_back.Length == 0 && part.Length == 0))
            {
                transport.Push(); // what was to follow may have been given up
                _sending = false;
                (drained, _drained) = (_drained, null);
            }
            else
            {
                return (_back.Memory, part, finished, _large.Count > 0);
            }
        }

        drained?.TrySetResult();
        return default;
    }
}

/// <summary>A message that is sent in several frames, from where its parts are.</summary>
internal sealed class LargeMessage
{
    private readonly List<ReadOnlyMemory<byte>> _parts = [];
    private readonly Action? _sent;
    private int _part;
    private int _position;
    private volatile bool _givenUp;
    private volatile bool _finished;

    public LargeMessage(int slot, ulong sequence, PayloadWriter payload, Action? sent)
    {
        Slot = slot;
        Sequence = sequence;
        _sent = sent;
        if (payload.JsonMemory.Length > 0)
        {
            _parts.Add(payload.JsonMemory);
        }

        _parts.AddRange(payload.Raws.Where(raw => raw.Bytes.Length > 0).Select(raw => raw.Bytes));
    }

    public int Slot { get; }

    public ulong Sequence { get; }

    /// <summary>Whether its bytes are no longer read.</summary>
    public bool IsFinished => _finished;

    public bool IsGivenUp => _givenUp;

    public bool IsAtEnd => _part == _parts.Count;

    /// <summary>It is not sent to its end. A frame may still be under way.</summary>
    public void GiveUp() => _givenUp = true;

    public ReadOnlyMemory<byte> Next(int most)
    {
        var part = _parts[_part].Slice(_position, Math.Min(most, _parts[_part].Length - _position));
        _position += part.Length;
        if (_position == _parts[_part].Length)
        {
            _part++;
            _position = 0;
        }

        return part;
    }

    public void Finish()
    {
        _finished = true;
        _sent?.Invoke();
    }
}
