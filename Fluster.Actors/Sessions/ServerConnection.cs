using System.Buffers.Binary;
using Fluster.Actors.V1;
using Google.Protobuf;

namespace Fluster.Actors;

/// <summary>One connection of a client's session, at the server.</summary>
internal sealed class ServerConnection : SessionInput
{
    /// <summary>Actors and methods that one connection may name.</summary>
    private const int MostDefinitions = 65_536;

    private readonly SessionTransport _transport;
    private readonly Dictionary<int, Incoming> _incoming = [];
    private readonly List<Definition> _definitions = [];
    private readonly PayloadAssembler _whole = new();
    private ServerSession? _session;
    private volatile bool _stopped;
    private int _closed;

    public ServerConnection(SessionHost host, SessionTransport transport)
        : base(transport, host.Time)
    {
        Host = host;
        _transport = transport;
        Output = new SessionOutput(transport, _ => Close());
    }

    public SessionHost Host { get; }

    public SessionOutput Output { get; }

    /// <summary>The largest result that the client takes.</summary>
    public long MostResult { get; private set; } = long.MaxValue;

    public bool IsGreeted => _session is not null;

    public bool HasOpenCalls => _session is { Open: > 0 };

    /// <summary>When the token with which it was opened ends.</summary>
    public DateTimeOffset ExpiresAt { get; private set; } = DateTimeOffset.MaxValue;

    /// <summary>The bytes that turn a client away before anything else is said.</summary>
    public static byte[] Refusal(CallFailure failure)
    {
        var error = ErrorOf(failure).ToByteArray();
        var frame = new byte[FrameHeader.Size + error.Length];
        new FrameHeader(FrameType.Refused, IsPart: false, Slot: 0, error.Length, Sequence: 0).Write(frame);
        error.CopyTo(frame, FrameHeader.Size);
        return frame;
    }

    public void SendFailure(int slot, ulong sequence, CallFailure failure) => Output.Append(FrameType.Failure, slot, sequence, ErrorOf(failure));

    /// <summary>Takes no more calls, and says so after all answers.</summary>
    public async Task StopAsync()
    {
        _stopped = true;
        Output.Append(FrameType.Goodbye);
        await Output.DrainAsync().ConfigureAwait(false);
    }

    public void Close()
    {
        if (Interlocked.Exchange(ref _closed, 1) == 0)
        {
            Output.Close();
            _transport.Dispose();
            Host.Remove(this);
            _session?.Detach(this);
        }
    }

    protected override void OnFrame(FrameHeader header, ReadOnlySpan<byte> body)
    {
        if (_stopped)
        {
            return; // It was told so: what it has no answer for did not run.
        }

        if (_session is null)
        {
            Greet(header, body);
            return;
        }

        switch (header.Type)
        {
            case FrameType.Call:
                var head = Begin(header, body, _whole, out var used);
                _whole.Add(body[used..]);
                if (!_whole.IsComplete)
                {
                    throw new SessionProtocolException("A call ends before its arguments.");
                }

                Receive(header, head, _whole);
                break;
            case FrameType.Define:
                Define(SessionDefine.Parser.ParseFrom(body));
                break;
            case FrameType.Cancel:
                _incoming.Remove(header.Slot);
                _session.Cancel(header.Slot, header.Sequence);
                break;
            case FrameType.Credit when body.Length == 8:
                _session.GiveCredit(header.Slot, header.Sequence, BinaryPrimitives.ReadInt32LittleEndian(body), BinaryPrimitives.ReadInt32LittleEndian(body[4..]));
                break;
            case FrameType.Ping:
                Output.Append(FrameType.Pong);
                Output.Send(now: true);
                break;
            case FrameType.Pong:
                break;
            case FrameType.Token:
                ExpiresAt = Host.Renewed(_session, SessionToken.Parser.ParseFrom(body).Token) ?? ExpiresAt;
                break;
            case FrameType.Leave:
                Host.Leave(_session);
                break;
            default:
                throw new SessionProtocolException($"A client sends no frame of type {(int)header.Type}.");
        }
    }

    protected override PayloadAssembler OnBegin(FrameHeader header, ReadOnlySpan<byte> body, out int used)
    {
        if (_session is null || header.Type != FrameType.Call)
        {
            throw new SessionProtocolException($"No frame of type {(int)header.Type} is a part of a message here.");
        }

        var assembler = new PayloadAssembler();
        var head = Begin(header, body, assembler, out used);
        _incoming[header.Slot] = new Incoming(header.Sequence, head, assembler);
        return assembler;
    }

    protected override PayloadAssembler? OnData(FrameHeader header) =>
        _incoming.TryGetValue(header.Slot, out var incoming) && incoming.Sequence == header.Sequence ? incoming.Assembler : null;

    protected override void OnComplete(FrameHeader header, PayloadAssembler assembler)
    {
        if (_incoming.Remove(header.Slot, out var incoming) && !_stopped)
        {
            Receive(header, incoming.Head, assembler);
        }
    }

    protected override void OnEnd(Exception? exception)
    {
        foreach (var incoming in _incoming.Values)
        {
            Host.Unreserve(incoming.Assembler.Refusal is null ? incoming.Assembler.Size : 0);
        }

        _incoming.Clear();
        if (exception is SessionProtocolException or InvalidProtocolBufferException)
        {
            Host.Report(exception);
        }

        Close();
    }

    private static ActorError ErrorOf(CallFailure failure) => new()
    {
        Kind = (V1.ActorErrorKind)failure.Kind, Type = failure.Type, Message = Shortened(failure.Message), Stack = Shortened(failure.Stack),
    };

    private static string Shortened(string text) => text.Length <= 16 * 1024 ? text : string.Concat(text.AsSpan(0, 16 * 1024), "…");

    private void Greet(FrameHeader header, ReadOnlySpan<byte> body)
    {
        if (header.Type != FrameType.Hello)
        {
            throw new SessionProtocolException($"The first frame is a hello, and not one of type {(int)header.Type}.");
        }

        var hello = SessionHello.Parser.ParseFrom(body);
        if (Host.Greet(hello, this, out var refusal) is not { } greeted)
        {
            _stopped = true;
            Output.Append(FrameType.Refused, message: ErrorOf(refusal));
            _ = RefuseAsync();
            return;
        }

        MostResult = hello.MaxMessageSize > 0 ? hello.MaxMessageSize : long.MaxValue;
        ExpiresAt = greeted.ExpiresAt;
        _session = greeted.Session;
        Output.Append(FrameType.Welcome, message: greeted.Welcome);

        // From here on answers of calls that run may follow.
        _session.Attach(this);
        Output.Send(now: true);
    }

    private async Task RefuseAsync()
    {
        await Output.DrainAsync().ConfigureAwait(false);
        _transport.Shutdown();
    }

    private void Define(SessionDefine define)
    {
        if (define.Number != _definitions.Count || _definitions.Count == MostDefinitions)
        {
            throw new SessionProtocolException($"Definition {define.Number} is not the next one, or one too many.");
        }

        var target = new ActorTarget(define.Actor, CallHead.GuidOf(define.Handle));
        var arguments = (int)Math.Min(define.Arguments, 1000);
        var found = Host.Actors.Resolve(target, define.Method, arguments, out var failure);

        // What is not there now may be registered later: it is looked for again then.
        _definitions.Add(new Definition(target, define.Method, arguments, found, failure));
    }

    private CallHead Begin(FrameHeader header, ReadOnlySpan<byte> body, PayloadAssembler assembler, out int used)
    {
        if (header.Slot >= SessionHost.MostSlots || header.Sequence == 0)
        {
            throw new SessionProtocolException($"There is no slot {header.Slot}, or no call {header.Sequence} in it.");
        }

        var head = CallHead.Read(body, out used);
        if ((uint)head.Definition >= (uint)_definitions.Count)
        {
            throw new SessionProtocolException($"Nothing is defined as {head.Definition}.");
        }

        used += assembler.Begin(body[used..], Host.MaxMessageSize, Host.TryReserve);
        return head;
    }

    private void Receive(FrameHeader header, CallHead head, PayloadAssembler assembler)
    {
        if (assembler.Refusal is { } refusal)
        {
            _session!.Refuse(this, header.Slot, header.Sequence, refusal);
            Output.Send(now: false);
            return;
        }

        if (_session!.Receive(this, header.Slot, header.Sequence, head, assembler.Take()!, assembler.Size) is not { } call)
        {
            Output.Send(now: false);
            return;
        }

        var definition = _definitions[head.Definition];
        var found = definition.Found is { Actor.Mailbox.IsClosed: false } ? definition.Found : null;
        var failure = definition.Failure;
        if (found is null && (found = Host.Actors.Resolve(definition.Target, definition.Method, definition.Arguments, out failure)) is not null)
        {
            _definitions[head.Definition] = definition with { Found = found };
        }

        if (found is not { } there)
        {
            call.TryRefuse(failure!);
            return;
        }

        call.Bind(there.Actor, there.Method, definition.Arguments);
        if (there.Actor.Mailbox.Enter(call) is { } ready)
        {
            Run(ready);
        }
    }

    private sealed record Definition(ActorTarget Target, string Method, int Arguments, (HostedActor Actor, int Method)? Found, CallFailure? Failure);

    private sealed record Incoming(ulong Sequence, CallHead Head, PayloadAssembler Assembler);
}
