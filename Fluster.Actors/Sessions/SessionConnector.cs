using System.Diagnostics;
using System.Net.Sockets;
using System.Security.Authentication;
using Fluster.Actors.V1;
using Google.Protobuf;

namespace Fluster.Actors;

/// <summary>Makes the connections of a session, the first one and those after it.</summary>
internal sealed class SessionConnector(SessionClient session, ServerAddress address, Func<string?> token)
{
    private static readonly TimeSpan s_connectTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_firstPatience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_refusedPatience = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_firstBackOff = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan s_longestBackOff = TimeSpan.FromMilliseconds(500);

    private readonly byte[] _id = Guid.NewGuid().ToByteArray();

    /// <summary>Connects, again and again for a while unless it is the first time, and gives the session the connection or the reason why there is none.</summary>
    public async Task RunAsync(bool isFirst, CancellationToken stopping)
    {
        var since = Stopwatch.GetTimestamp();
        var backOff = s_firstBackOff;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await OpenAsync(stopping).ConfigureAwait(false);
                return;
            }
            catch (SessionRefusedException exception)
            {
                session.Fail(exception.Failure);
                return;
            }
            catch (Exception exception) when (exception is IOException or SocketException or TimeoutException or OperationCanceledException or ObjectDisposedException or AuthenticationException)
            {
                // Where nobody listens there is hardly anybody who remembers the session. The first time a few tries are enough.
                var patience = isFirst && exception is SocketException { SocketErrorCode: not SocketError.ConnectionReset } ? TimeSpan.Zero
                    : isFirst ? s_firstPatience
                    : exception is SocketException { SocketErrorCode: SocketError.ConnectionRefused } ? s_refusedPatience
                    : s_patience;
                if (Stopwatch.GetElapsedTime(since) >= patience)
                {
                    session.Fail(CallFailure.Of(ActorErrorKind.OutcomeUnknown, $"{address} cannot be reached: {exception.Message}"));
                    return;
                }
            }

            await Task.Delay(backOff, TimeProvider.System, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            backOff = backOff * 2 < s_longestBackOff ? backOff * 2 : s_longestBackOff;
        }
    }

    private async Task OpenAsync(CancellationToken stopping)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        limit.CancelAfter(s_connectTimeout);
        var current = token();
        var transport = await address.ConnectAsync(current, limit.Token).ConfigureAwait(false);
        var connection = new ClientConnection(session, transport, current);
        try
        {
            await transport.SendAsync(SessionHost.Preface).ConfigureAwait(false);
            connection.Output.Append(FrameType.Hello, message: new SessionHello
            {
                Version = SessionHost.Version,
                SessionId = ByteString.CopyFrom(_id),
                Token = current ?? "",
                MaxMessageSize = session.MaxMessageSize,
                Machine = MachineClock.Id,
                Incarnation = session.Incarnation,
            });
            connection.Output.Send(now: true);
            connection.Start([]);
            session.Use(connection, await connection.Welcome.WaitAsync(limit.Token).ConfigureAwait(false));
        }
        catch
        {
            connection.Close();
            throw;
        }
    }
}
