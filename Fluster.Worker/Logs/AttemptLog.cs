using System.Runtime.Versioning;
using System.Text;

namespace Fluster.Worker;

/// <summary>
/// The output of one attempt on its way from the pipes to its spool: three streams, numbered together in the order in which they were read.
/// Used on the pump's thread only.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class AttemptLog
{
    private readonly LogSpool _spool;
    private readonly TimeProvider _time;
    private readonly DescriptorPump _pump;
    private readonly LastLines _last = new();
    private readonly StreamReader[] _streams;

    public AttemptLog(LogSpool spool, DescriptorPump pump, TimeProvider time)
    {
        _spool = spool;
        _pump = pump;
        _time = time;
        _streams = [.. ((V1.LogStream[])[V1.LogStream.Stdout, V1.LogStream.Stderr, V1.LogStream.Build]).Select(stream => new StreamReader(this, stream))];
    }

    public IReadOnlyList<string> LastLines => _last.ToList();

    public V1.LogTotals Totals => _spool.Totals;

    /// <summary>Reads a pipe into a stream. Several pipes may follow each other in one.</summary>
    /// <returns>For <see cref="DescriptorPump.FinishAsync"/>.</returns>
    public DescriptorReader Read(int pipe, V1.LogStream stream)
    {
        var reader = _streams[(int)stream - 1];
        var source = new Source(reader);
        _pump.Add(pipe, source);
        return source;
    }

    /// <summary>Takes output that comes in pieces and not through a pipe. The pieces are not kept. Lines that are whole go out at once: what comes together is put together.</summary>
    public Task TakeAsync(IReadOnlyList<(V1.LogStream Stream, ReadOnlyMemory<byte> Data)> pieces) => _pump.RunAsync(() =>
    {
        foreach (var (stream, data) in pieces)
        {
            _streams[(int)stream - 1].Take(data.Span);
        }

        Array.ForEach(_streams, stream => stream.Flush());
    });

    /// <summary>Writes a line of the worker's own to the stream "build".</summary>
    public Task SayAsync(string line) => _pump.RunAsync(() => _streams[(int)V1.LogStream.Build - 1].Take(Encoding.UTF8.GetBytes(line + "\n"), flush: true));

    /// <summary>Hands over what is left of lines without an end. All pipes were finished.</summary>
    public Task EndAsync() => _pump.RunAsync(() => Array.ForEach(_streams, stream => stream.End()));

    private sealed class StreamReader
    {
        /// <summary>
        /// Lines go out at once when nothing went out for this long, so that whoever follows sees them live; in a flood they are put together.
        /// </summary>
        private static readonly TimeSpan s_quiet = TimeSpan.FromMilliseconds(10);

        private readonly AttemptLog _log;
        private readonly V1.LogStream _stream;
        private readonly LineCutter _cutter;
        private TimeSpan _lastTaken = TimeSpan.MinValue;

        public StreamReader(AttemptLog log, V1.LogStream stream)
        {
            _log = log;
            _stream = stream;
            _cutter = new LineCutter(Append);
        }

        public TimeSpan? DueAt => _cutter.HasLines ? _lastTaken + s_quiet : null;

        public void Take(ReadOnlySpan<byte> data, bool flush = false)
        {
            _cutter.Append(data);
            if (flush || _log._pump.Now >= DueAt)
            {
                _cutter.Flush();
            }
        }

        public void Flush() => _cutter.Flush();

        public void End() => _cutter.End();

        private void Append(long firstLine, int lineCount, ReadOnlySpan<byte> data)
        {
            _lastTaken = _log._pump.Now;
            _log._last.Add(data);
            _log._spool.Append(_stream, firstLine, lineCount, _log._time.GetUtcNow(), data);
        }
    }

    private sealed class Source(StreamReader stream) : DescriptorReader
    {
        public override TimeSpan? DueAt => stream.DueAt;

        public override void Read(ReadOnlySpan<byte> data) => stream.Take(data);

        public override void Due(TimeSpan now) => stream.Flush();

        public override void End() => stream.Flush();
    }
}
