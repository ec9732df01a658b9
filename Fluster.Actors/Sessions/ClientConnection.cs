using System.Diagnostics;
using Fluster.Actors.V1;

namespace Fluster.Actors;

/// <summary>One connection of a session, at the client.</summary>
internal sealed class ClientConnection : SessionInput
{
    private static readonly TimeSpan s_farewell = TimeSpan.FromSeconds(1);

    private readonly SessionClient _session;
    private readonly SessionTransport _transport;
    private readonly Dictionary<int, Incoming> _incoming = [];
    private readonly Dictionary<(ActorTarget Target, int Method), int> _definitions = [];
    private readonly PayloadAssembler _whole = new();
    private readonly TaskCompletionSource<SessionWelcome> _welcome = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string? _token;
    private int _closed;

    public ClientConnection(SessionClient session, SessionTransport transport, string? token)
        : base(transport, TimeProvider.System)
    {
        _session = session;
        _token = token;
        _transport = transport;
        Output = new SessionOutput(transport, Close);
    }

    public SessionOutput Output { get; }

    /// <summary>The server's answer to the hello.</summary>
    public Task<SessionWelcome> Welcome => _welcome.Task;

    /// <summary>Whether both sides see the same monotonic clock.</summary>
    public bool SameMachine { get; set; }

    /// <summary>The number for an actor's method on this connection; told to the server when it is new. Under the session's lock.</summary>
    public int Define(PendingCall call)
    {
        var key = (call.Target, call.Method.Number);
        if (!_definitions.TryGetValue(key, out var number))
        {
            number = _definitions.Count;
            _definitions.Add(key, number);
            Output.Append(FrameType.Define, message: new SessionDefine
            {
                Number = (uint)number,
                Actor = call.Target.Actor,
                Handle = CallHead.BytesOf(call.Target.Handle),
                Method = call.Method.Name,
                Arguments = (uint)call.Method.Parameters.Count,
            });
        }

        return number;
    }

    /// <summary>Asks for a sign of life, and waits for it. False: the connection was not wanted any more before there was one.</summary>
    public async Task<bool> AnswersAsync(Func<bool> isWanted, CancellationToken cancellationToken)
    {
        var before = LastHeard;
        Output.Append(FrameType.Ping);
        Output.Send(now: true);
        while (LastHeard == before && isWanted())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, cancellationToken).ConfigureAwait(false);
        }

        return LastHeard != before;
    }

    /// <summary>Tells the server when the token is another one than it knows: it was renewed, and the connection lives on with it.</summary>
    public void Renew(string? token)
    {
        if (token is not null && !string.Equals(token, _token, StringComparison.Ordinal))
        {
            _token = token;
            Output.Append(FrameType.Token, message: new SessionToken { Token = token });
        }
    }

    /// <summary>Asks for a sign of life, or closes when there was none for too long.</summary>
    public void KeepAlive(TimeSpan longestSilence)
    {
        if (Stopwatch.GetElapsedTime(LastHeard) > longestSilence)
        {
            Close(new IOException("The server does not answer."));
            return;
        }

        Output.Append(FrameType.Ping);
        Output.Send(now: false);
    }

    /// <summary>Whether it was closed, by either side.</summary>
    public bool IsClosed => Volatile.Read(ref _closed) != 0;

    /// <summary>Tells the server that the session is over, and hangs up.</summary>
    public async Task LeaveAsync()
    {
        Output.Append(FrameType.Leave);
        await Output.DrainAsync().WaitAsync(s_farewell, TimeProvider.System).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Close();
    }

    public void Close(Exception? exception = null)
    {
        if (Interlocked.Exchange(ref _closed, 1) == 0)
        {
            Output.Close();
            _transport.Dispose();
            _welcome.TrySetException(exception ?? new IOException("The connection was closed before the server answered."));
            _session.Lost(this, exception);
        }
    }

    protected override void OnFrame(FrameHeader header, ReadOnlySpan<byte> body)
    {
        switch (header.Type)
        {
            case FrameType.Result or FrameType.Item:
                var used = _whole.Begin(body, _session.MaxMessageSize, reserve: null);
                _whole.Add(body[used..]);
                if (!_whole.IsComplete)
                {
                    throw new SessionProtocolException("A message ends before its end.");
                }

                Receive(header, _whole);
                break;
            case FrameType.Failure:
                if (_session.End(header.Slot, header.Sequence, CallEnd.Failed, value: null, Read(body)) is { } failed)
                {
                    Run(failed);
                }

                break;
            case FrameType.Welcome:
                _welcome.TrySetResult(SessionWelcome.Parser.ParseFrom(body));
                break;
            case FrameType.Refused:
                var refusal = Read(body);
                _welcome.TrySetException(new SessionRefusedException(refusal));
                break;
            case FrameType.Drain:
                _session.Draining(this);
                break;
            case FrameType.Goodbye:
                _session.Goodbye(this);
                break;
            case FrameType.Ping:
                Output.Append(FrameType.Pong);
                Output.Send(now: true);
                break;
            case FrameType.Pong:
                break;
            default:
                throw new SessionProtocolException($"A server sends no frame of type {(int)header.Type}.");
        }
    }

    protected override PayloadAssembler OnBegin(FrameHeader header, ReadOnlySpan<byte> body, out int used)
    {
        if (header.Type is not (FrameType.Result or FrameType.Item))
        {
            throw new SessionProtocolException($"No frame of type {(int)header.Type} is a part of a message here.");
        }

        var assembler = new PayloadAssembler();
        used = assembler.Begin(body, _session.MaxMessageSize, reserve: null);
        _incoming[header.Slot] = new Incoming(header, assembler);
        return assembler;
    }

    protected override PayloadAssembler? OnData(FrameHeader header) =>
        _incoming.TryGetValue(header.Slot, out var incoming) && incoming.First.Sequence == header.Sequence ? incoming.Assembler : null;

    protected override void OnComplete(FrameHeader header, PayloadAssembler assembler)
    {
        if (_incoming.Remove(header.Slot, out var incoming))
        {
            Receive(incoming.First, assembler);
        }
    }

    protected override void OnEnd(Exception? exception) => Close(exception);

    private static CallFailure Read(ReadOnlySpan<byte> body)
    {
        var error = ActorError.Parser.ParseFrom(body);
        var kind = (ActorErrorKind)error.Kind;
        return new CallFailure(Enum.IsDefined(kind) ? kind : ActorErrorKind.Exception, error.Type, error.Message, error.Stack);
    }

    private void Receive(FrameHeader header, PayloadAssembler assembler)
    {
        var size = (int)assembler.Size;
        var payload = assembler.Take();
        if (header.Type == FrameType.Item)
        {
            if (payload is not null)
            {
                _session.Item(header.Slot, header.Sequence, payload, size);
            }

            return;
        }

        if (_session.End(header.Slot, header.Sequence, payload is null ? CallEnd.Failed : CallEnd.Value, payload, assembler.Refusal) is { } ended)
        {
            Run(ended);
        }
        else if (payload is not null)
        {
            PayloadPool.Return(payload);
        }
    }

    private sealed record Incoming(FrameHeader First, PayloadAssembler Assembler);
}

/// <summary>The server does not let the session in.</summary>
internal sealed class SessionRefusedException(CallFailure failure) : Exception(failure.Message)
{
    public CallFailure Failure { get; } = failure;
}
