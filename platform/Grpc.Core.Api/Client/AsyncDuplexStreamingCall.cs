namespace Grpc.Core;

/// <summary>A call with a stream each way.</summary>
public sealed class AsyncDuplexStreamingCall<TRequest, TResponse> : IDisposable
{
    private readonly AsyncCallState _call;

    public AsyncDuplexStreamingCall(
        IClientStreamWriter<TRequest> requestStream,
        IAsyncStreamReader<TResponse> responseStream,
        Task<Metadata> responseHeadersAsync,
        Func<Status> getStatusFunc,
        Func<Metadata> getTrailersFunc,
        Action disposeAction)
    {
        _call = new AsyncCallState(responseHeadersAsync, getStatusFunc, getTrailersFunc, disposeAction);
        RequestStream = requestStream;
        ResponseStream = responseStream;
    }

    public AsyncDuplexStreamingCall(
        IClientStreamWriter<TRequest> requestStream,
        IAsyncStreamReader<TResponse> responseStream,
        Func<object, Task<Metadata>> responseHeadersAsync,
        Func<object, Status> getStatusFunc,
        Func<object, Metadata> getTrailersFunc,
        Action<object> disposeAction,
        object state)
    {
        _call = new AsyncCallState(responseHeadersAsync, getStatusFunc, getTrailersFunc, disposeAction, state);
        RequestStream = requestStream;
        ResponseStream = responseStream;
    }

    /// <summary>Where requests are written.</summary>
    public IClientStreamWriter<TRequest> RequestStream { get; }

    /// <summary>Where responses are read.</summary>
    public IAsyncStreamReader<TResponse> ResponseStream { get; }

    /// <summary>The headers that the server sent before its first message.</summary>
    public Task<Metadata> ResponseHeadersAsync => _call.ResponseHeadersAsync();

    /// <summary>How the call ended.</summary>
    /// <exception cref="InvalidOperationException">It has not ended.</exception>
    public Status GetStatus() => _call.GetStatus();

    /// <summary>What the server sent after its last message.</summary>
    /// <exception cref="InvalidOperationException">The call has not ended.</exception>
    public Metadata GetTrailers() => _call.GetTrailers();

    /// <summary>Ends the call if it has not ended, and frees what it holds.</summary>
    public void Dispose() => _call.Dispose();
}
