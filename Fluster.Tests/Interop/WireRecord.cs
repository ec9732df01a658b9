using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Fluster.Tests;

/// <summary>The flags of the messages that went by in one direction: the only place where compression can be seen for sure.</summary>
internal sealed class FrameFlags
{
    private readonly Lock _lock = new();
    private readonly List<byte> _flags = [];
    private readonly byte[] _header = new byte[5];
    private int _headerBytes;
    private long _payloadLeft;

    public byte[] Seen
    {
        get
        {
            lock (_lock)
            {
                return [.. _flags];
            }
        }
    }

    public void Add(ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            foreach (var value in bytes)
            {
                if (_payloadLeft > 0)
                {
                    _payloadLeft--;
                    continue;
                }

                _header[_headerBytes++] = value;
                if (_headerBytes == _header.Length)
                {
                    _flags.Add(_header[0]);
                    _payloadLeft = System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(_header.AsSpan(1));
                    _headerBytes = 0;
                }
            }
        }
    }
}

/// <summary>What one call looked like on the wire.</summary>
internal sealed class WireRecord
{
    public FrameFlags Requests { get; } = new();

    public FrameFlags Responses { get; } = new();

    /// <summary>Of the call that <paramref name="context"/> belongs to.</summary>
    public static WireRecord Of(HttpContext context) => (WireRecord)context.Items[typeof(WireRecord)]!;
}

/// <summary>Records at the server's end, and keeps what calls with a case's name answered.</summary>
internal sealed class ServerWire
{
    public const string CaseHeader = "x-interop-case";

    private readonly List<(string Case, byte[] Responses)> _answered = [];

    /// <summary>The flags of the responses to each call of a case, in order.</summary>
    public byte[][] Answered(string name)
    {
        lock (_answered)
        {
            return [.. _answered.Where(answer => answer.Case == name).Select(answer => answer.Responses)];
        }
    }

    public void Use(WebApplication app) => app.Use(async (context, next) =>
    {
        var record = new WireRecord();
        context.Items[typeof(WireRecord)] = record;
        context.Request.Body = new RecordingStream(context.Request.Body, record.Requests);
        context.Response.Body = new RecordingStream(context.Response.Body, record.Responses);
        await next(context);
        await context.Response.BodyWriter.FlushAsync(); // what the server itself does for its own body
        if (context.Request.Headers[CaseHeader] is [{ } name, ..])
        {
            // A unary Connect response is the bare message; HTTP says how it is encoded.
            var isBare = context.Response.ContentType is "application/proto" or "application/json";
            var flags = isBare ? [context.Response.Headers.ContentEncoding.Count > 0 ? (byte)1 : (byte)0] : record.Responses.Seen;
            lock (_answered)
            {
                _answered.Add((name, flags));
            }
        }
    });
}

/// <summary>Records at the client's end; the last call is the one that counts.</summary>
internal sealed class ClientWire() : DelegatingHandler(new SocketsHttpHandler())
{
    public WireRecord Last { get; private set; } = new();

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var record = Last = new WireRecord();
        request.Content = new RecordingContent(request.Content!, stream => new RecordingStream(stream, record.Requests));
        var response = await base.SendAsync(request, cancellationToken);
        response.Content = new RecordingContent(response.Content, stream => new RecordingStream(stream, record.Responses));
        return response;
    }

    private sealed class RecordingContent : HttpContent
    {
        private readonly HttpContent _inner;
        private readonly Func<Stream, Stream> _record;

        public RecordingContent(HttpContent inner, Func<Stream, Stream> record)
        {
            _inner = inner;
            _record = record;
            foreach (var (name, values) in inner.Headers)
            {
                Headers.TryAddWithoutValidation(name, values);
            }
        }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            _inner.CopyToAsync(_record(stream), context);

        protected override async Task<Stream> CreateContentReadStreamAsync() => _record(await _inner.ReadAsStreamAsync());

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                _inner.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}

/// <summary>Shows every byte that is read or written to a recorder.</summary>
internal sealed class RecordingStream(Stream inner, FrameFlags flags) : Stream
{
    public override bool CanRead => inner.CanRead;

    public override bool CanSeek => false;

    public override bool CanWrite => inner.CanWrite;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count)
    {
        var read = inner.Read(buffer, offset, count);
        flags.Add(buffer.AsSpan(offset, read));
        return read;
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = await inner.ReadAsync(buffer, cancellationToken);
        flags.Add(buffer.Span[..read]);
        return read;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(byte[] buffer, int offset, int count)
    {
        flags.Add(buffer.AsSpan(offset, count));
        inner.Write(buffer, offset, count);
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        flags.Add(buffer.Span);
        await inner.WriteAsync(buffer, cancellationToken);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush() => inner.Flush();

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
