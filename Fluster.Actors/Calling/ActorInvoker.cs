using System.ComponentModel;
using System.Runtime.CompilerServices;

namespace Fluster.Actors;

/// <summary>Makes the calls of one client. For generated code.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class ActorInvoker
{
    private readonly ActorRoute _route;
    private readonly ActorCallOptions _options;

    internal ActorInvoker(ActorRoute route, ActorCallOptions options)
    {
        _route = route;
        _options = options;
    }

    internal ActorRoute Route => _route;

    /// <summary>Begins a call of a method; the arguments are written next.</summary>
#pragma warning disable CA1822 // Generated code has an invoker, and need not know what it is of.
    public ActorCall Begin(ActorMethodShape method) => new PendingCall(method);
#pragma warning restore CA1822

    /// <summary>Makes the call of a method without a result.</summary>
    public async Task SendAsync(ActorCall call, CancellationToken cancellationToken)
    {
        var pending = (PendingCall)call;
        try
        {
            await MakeAsync(pending, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            pending.Release();
        }
    }

    /// <summary>Makes the call and reads its result.</summary>
    public async Task<T> SendAsync<T>(ActorCall call, ActorCodec<T> result, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(result);
        var pending = (PendingCall)call;
        try
        {
            // Most calls are made at once over a connection that is there: no other task for them.
            if (_route.TryBegin(pending, _options, cancellationToken, out var connection) && !ActorTelemetry.IsOn && !cancellationToken.CanBeCanceled)
            {
                var end = await connection.SendAsync(pending).ConfigureAwait(false);
                if (end != CallEnd.Value)
                {
                    await RecoverAsync(pending, connection, end, cancellationToken).ConfigureAwait(false);
                }
            }
            else
            {
                await MakeAsync(pending, cancellationToken).ConfigureAwait(false);
            }

            return Read(pending, result);
        }
        finally
        {
            pending.Release();
        }
    }

    /// <summary>Makes the call of a method that returns a stream; it begins when the stream is read.</summary>
    public async IAsyncEnumerable<T> StreamAsync<T>(ActorCall call, ActorCodec<T> item, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(item);
        var pending = (PendingCall)call;
        ActorConnection? used = null;
        pending.Items = new ItemReceiver((items, bytes) => used?.GiveCredit(pending, items, bytes));
        using var left = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var end = EndAsync();
        try
        {
            while (await pending.Items.NextAsync(cancellationToken).ConfigureAwait(false) is { } payload)
            {
                T value;
                try
                {
                    value = ReadValue(payload, item, pending.Method);
                }
                finally
                {
                    PayloadPool.Return(payload);
                }

                yield return value;
            }

            await end.ConfigureAwait(false);
        }
        finally
        {
            await left.CancelAsync().ConfigureAwait(false);
            await end.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default).ConfigureAwait(false);
            pending.Release();
        }

        async Task EndAsync()
        {
            try
            {
                await MakeAsync(pending, left.Token, connection => used = connection).ConfigureAwait(false);
            }
            finally
            {
                pending.Items.End();
            }
        }
    }

    private static T Read<T>(PendingCall call, ActorCodec<T> result) => ReadValue(call.Value!, result, call.Method);

    private static T ReadValue<T>(Payload payload, ActorCodec<T> codec, ActorMethodShape method)
    {
        try
        {
            var reader = new ActorArguments(payload);
            return codec.Read(ref reader);
        }
        catch (Exception exception) when (exception is System.Text.Json.JsonException or NotSupportedException or RawMismatchException or FormatException or Google.Protobuf.InvalidProtocolBufferException)
        {
            throw new InvalidOperationException($"The result of {method} is not a {typeof(T).Name}: {exception.Message}", exception);
        }
    }

    private async Task MakeAsync(PendingCall call, CancellationToken cancellationToken, Action<ActorConnection>? connected = null)
    {
        using var activity = ActorTelemetry.StartCalling(_route.Name, call.Method.Name);
        try
        {
            _route.TryBegin(call, _options, cancellationToken, out var connection);
            cancellationToken.ThrowIfCancellationRequested();
            connection ??= await _route.ConnectAsync(call, cancellationToken).ConfigureAwait(false);
            connected?.Invoke(connection);
            var end = await SendAsync(connection, call, cancellationToken).ConfigureAwait(false);
            if (end != CallEnd.Value)
            {
                await RecoverAsync(call, connection, end, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception exception) when (ActorTelemetry.Mark(activity, exception))
        {
            throw; // never: it is only looked at
        }
    }

    private static async ValueTask<CallEnd> SendAsync(ActorConnection connection, PendingCall call, CancellationToken cancellationToken)
    {
        if (!cancellationToken.CanBeCanceled)
        {
            return await connection.SendAsync(call).ConfigureAwait(false);
        }

        var sent = connection.SendAsync(call);
        var cancel = cancellationToken.UnsafeRegister(static state =>
        {
            var (connection, call) = ((ActorConnection, PendingCall))state!;
            connection.Cancel(call, CallEnd.Cancelled);
        }, (connection, call));
        await using (cancel.ConfigureAwait(false))
        {
            return await sent.ConfigureAwait(false);
        }
    }

    // After an end without a value: makes the call again where that is safe and there is time, else throws what the caller is to see.
    private async Task RecoverAsync(PendingCall call, ActorConnection connection, CallEnd end, CancellationToken cancellationToken)
    {
        var executions = 1;
        while (end != CallEnd.Value)
        {
            if (!MayTryAgain(call, end, ref executions))
            {
                throw ActorErrors.ToException(call, end, _route, _options, cancellationToken);
            }

            _route.Doubt(connection, call.Target);
            connection = await _route.ConnectAsync(call, cancellationToken).ConfigureAwait(false);
            end = await SendAsync(connection, call, cancellationToken).ConfigureAwait(false);
        }
    }

    private bool MayTryAgain(PendingCall call, CallEnd end, ref int executions)
    {
        if (call.Items is not null && end != CallEnd.NotSent)
        {
            return false; // Items may have been read.
        }

        switch (end)
        {
            // It did not run: sending it elsewhere is not another execution.
            case CallEnd.NotSent:
            case CallEnd.Failed when call.Failure!.Kind is ActorErrorKind.Stale or ActorErrorKind.ShuttingDown:
                return _route.CanMove;
            case CallEnd.Unknown:
            case CallEnd.Failed when call.Failure!.Kind == ActorErrorKind.OutcomeUnknown:
                return call.Method.IsIdempotent || executions++ <= _options.Retries;
            default:
                return false;
        }
    }
}
