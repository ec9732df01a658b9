namespace Fluster.Actors;

/// <summary>Leads to one endpoint and nowhere else.</summary>
internal sealed class FixedRoute : ActorRoute
{
    private readonly Lock _lock = new();
    private readonly ResolvedEndpoint _endpoint;
    private readonly Func<string?> _token;
    private readonly ActorConnections _connections;
    private ActorConnection? _connection;
    private bool _disposed;

    public FixedRoute(string name, ResolvedEndpoint endpoint, Func<string?> token, ActorConnections connections)
        : base(name)
    {
        _endpoint = endpoint;
        _token = token;
        _connections = connections;
        Target = new ActorTarget(name, endpoint.Handle);
    }

    public ActorTarget Target { get; }

    public override bool CanMove => false;

    public override string Display => $"{(Name.Length == 0 ? "the actor" : $"actor '{Name}'")} at {_endpoint.Address}";

    public override Task<ActorConnection> ConnectAsync(PendingCall call, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        lock (_lock)
        {
            if (_connection is { IsUsable: false } broken)
            {
                _connections.Release(broken, OpenCalls.EndFirst);
                _connection = null;
            }

            _connection ??= _connections.Acquire(_endpoint, _token);
            Current = new Hop(Target, _endpoint.Address, _connection);
            call.Target = Target;
            return Task.FromResult(_connection);
        }
    }

    /// <summary>The endpoint is gone: calls that wait for it end now.</summary>
    public void Fail() => _connection?.FailTarget(Target);

    /// <summary>The endpoint is gone: calls that its server still answers may end.</summary>
    public void Retire()
    {
        Fail();
        LetGo(OpenCalls.EndFirst);
    }

    public override void Dispose() => LetGo(OpenCalls.EndNow);

    private void LetGo(OpenCalls calls)
    {
        if (!_disposed)
        {
            _disposed = true;
            Current = null;
            if (_connection is { } connection)
            {
                _connections.Release(connection, calls);
            }
        }
    }
}
