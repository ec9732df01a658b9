namespace Grpc.Core;

/// <summary>What every kind of call can be asked. The state goes back into each function, so that a library can pass static ones.</summary>
internal readonly struct AsyncCallState
{
    private readonly Func<object, Task<Metadata>> _responseHeaders;
    private readonly Func<object, Status> _status;
    private readonly Func<object, Metadata> _trailers;
    private readonly Action<object> _dispose;
    private readonly object _state;

    public AsyncCallState(
        Func<object, Task<Metadata>> responseHeaders,
        Func<object, Status> status,
        Func<object, Metadata> trailers,
        Action<object> dispose,
        object state)
    {
        _responseHeaders = responseHeaders;
        _status = status;
        _trailers = trailers;
        _dispose = dispose;
        _state = state;
    }

    public AsyncCallState(Task<Metadata> responseHeaders, Func<Status> status, Func<Metadata> trailers, Action dispose)
        : this(
            static state => ((Stateless)state).ResponseHeaders,
            static state => ((Stateless)state).Status(),
            static state => ((Stateless)state).Trailers(),
            static state => ((Stateless)state).Dispose(),
            new Stateless(responseHeaders, status, trailers, dispose))
    {
    }

    public Task<Metadata> ResponseHeadersAsync() => _responseHeaders(_state);

    public Status GetStatus() => _status(_state);

    public Metadata GetTrailers() => _trailers(_state);

    public void Dispose() => _dispose(_state);

    private sealed record Stateless(Task<Metadata> ResponseHeaders, Func<Status> Status, Func<Metadata> Trailers, Action Dispose);
}
