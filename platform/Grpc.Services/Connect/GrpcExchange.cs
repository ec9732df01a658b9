using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Grpc.Connect;

/// <summary>
/// A gRPC call inside a Connect request: an HttpContext whose request and response are ours, and everything else
/// (user, services, items, connection, abort) the outer one's. gRPC cannot tell it from a call over HTTP/2.
/// </summary>
internal sealed class GrpcExchange :
    IHttpResponseFeature, IHttpResponseBodyFeature, IHttpResponseTrailersFeature, IHttpResetFeature, IRequestBodyPipeFeature
{
    private readonly HttpContext _outer;
    private readonly HttpContext _inner;
    private readonly Pipe _response;
    private readonly Func<GrpcExchange, Task> _onStart;
    private readonly StartingPipeWriter _writer;
    private readonly TaskCompletionSource _completed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Stack<(Func<object, Task> Callback, object State)> _starting = new();
    private Stream? _stream;
    private bool _started;

    /// <param name="outer">The Connect request.</param>
    /// <param name="headers">Of the gRPC request.</param>
    /// <param name="request">Its body.</param>
    /// <param name="response">Takes the body of its response; completed at its end.</param>
    /// <param name="onStart">Called when gRPC sends its headers, before the first byte of the body.</param>
    public GrpcExchange(HttpContext outer, IHeaderDictionary headers, PipeReader request, Pipe response, Func<GrpcExchange, Task> onStart)
    {
        _outer = outer;
        _response = response;
        _onStart = onStart;
        _writer = new StartingPipeWriter(this, response.Writer);
        Reader = request;
        var features = new FeatureCollection(outer.Features);
        features.Set<IHttpRequestFeature>(new HttpRequestFeature
        {
            Protocol = "HTTP/2",
            Scheme = outer.Request.Scheme,
            Method = HttpMethods.Post,
            PathBase = outer.Request.PathBase,
            Path = outer.Request.Path,
            RawTarget = outer.Request.Path,
            Headers = headers,
            Body = request.AsStream(),
        });
        features.Set<IRequestBodyPipeFeature>(this);
        features.Set<IHttpResponseFeature>(this);
        features.Set<IHttpResponseBodyFeature>(this);
        features.Set<IHttpResponseTrailersFeature>(this);
        features.Set<IHttpResetFeature>(this);

        // Made on demand by the context, not by its features.
        _inner = new DefaultHttpContext(features)
        {
            RequestServices = outer.RequestServices,
            Items = outer.Items,
            User = outer.User,
        };
    }

    public PipeReader Reader { get; }

    public int StatusCode { get; set; } = StatusCodes.Status200OK;

    public string? ReasonPhrase { get; set; }

    public IHeaderDictionary Headers { get; set; } = new HeaderDictionary();

    public IHeaderDictionary Trailers { get; set; } = new HeaderDictionary();

    Stream IHttpResponseFeature.Body
    {
        get => Stream;
        set => throw new NotSupportedException("The body of a gRPC response cannot be replaced.");
    }

    public bool HasStarted => _started;

    public Stream Stream => _stream ??= _writer.AsStream();

    public PipeWriter Writer => _writer;

    /// <summary>Completes when the response has ended, which may be before the method has: at a deadline.</summary>
    public Task Completed => _completed.Task;

    /// <summary>Before a response that never started come trailers only, and they are where headers would be.</summary>
    public IHeaderDictionary EndMetadata => _started ? Trailers : Headers;

    /// <summary>How the call ended; only after <see cref="Completed"/>.</summary>
    public ConnectStatus Status() =>
        ConnectHeaders.StatusIn(Trailers) ?? ConnectHeaders.StatusIn(Headers) ??
        new ConnectStatus(Core.StatusCode.Unknown, "The service ended the call without a status.", Details: null);

    /// <summary>Runs the method, to its end.</summary>
    public async Task RunAsync(RequestDelegate grpc)
    {
        // The caller goes on to read the response while this runs.
        await Task.Yield();
        try
        {
            await grpc(_inner);
        }
        finally
        {
            await CompleteAsync();
        }
    }

    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        if (_started)
        {
            return;
        }

        while (_starting.TryPop(out var starting))
        {
            await starting.Callback(starting.State);
        }

        _started = true;
        await _onStart(this);
    }

    public async Task CompleteAsync()
    {
        await _response.Writer.CompleteAsync();
        _completed.TrySetResult();
    }

    /// <summary>gRPC resets a stream that it ended early, so that the client stops sending. One that has its end needs none.</summary>
    public void Reset(int errorCode)
    {
        if (!_completed.Task.IsCompleted)
        {
            _outer.Abort();
        }
    }

    public void OnStarting(Func<object, Task> callback, object state) => _starting.Push((callback, state));

    public void OnCompleted(Func<object, Task> callback, object state) => _outer.Response.OnCompleted(callback, state);

    public void DisableBuffering()
    {
    }

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException("A gRPC response has messages, not files.");

    /// <summary>Starts the response with the first flush, as a server does.</summary>
    private sealed class StartingPipeWriter(GrpcExchange exchange, PipeWriter inner) : PipeWriter
    {
        public override bool CanGetUnflushedBytes => inner.CanGetUnflushedBytes;

        public override long UnflushedBytes => inner.UnflushedBytes;

        public override void Advance(int bytes) => inner.Advance(bytes);

        public override Memory<byte> GetMemory(int sizeHint = 0) => inner.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => inner.GetSpan(sizeHint);

        public override void CancelPendingFlush() => inner.CancelPendingFlush();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);

        public override async ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
        {
            await exchange.StartAsync(cancellationToken);
            return await inner.FlushAsync(cancellationToken);
        }
    }
}
