using System.Threading.Channels;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace Fluster.Worker;

/// <summary>
/// The worker's stream to its controller: says Hello, brings what the controller wants to the supervisor and what the supervisor observes to the
/// controller, and begins again whenever the stream ends. It decides nothing but when to try again.
/// </summary>
/// <param name="connection">How the controller is reached.</param>
/// <param name="hello">What to say first; asked for at every connection.</param>
/// <param name="trust">Checks a Welcome that takes the worker over from another cluster, and keeps renewed tokens.</param>
/// <param name="orphan">Is told when there is a controller.</param>
/// <param name="post">Takes events for the supervisor. Must not wait.</param>
/// <param name="time">The clock of the pauses between tries.</param>
/// <param name="logger">The log.</param>
internal sealed partial class ControllerLink(
    ControllerConnection connection, Func<V1.WorkerHello> hello, ClusterTrust trust, OrphanWatch orphan, Action<WorkerEvent> post, TimeProvider time, ILogger<ControllerLink> logger)
{
    private readonly ReconnectDelay _delay = new();
    private volatile Session? _session;

    /// <summary>The last Welcome; null before the first.</summary>
    public V1.WorkerWelcome? Welcome { get; private set; }

    /// <summary>Sends a frame on the present link. Ends in <see cref="WorkerEvent.LinkReady"/>, or in <see cref="WorkerEvent.LinkClosed"/>.</summary>
    public void Send(V1.Observed frame) => _session?.Outgoing.Writer.TryWrite(frame);

    /// <summary>Ends the present link: what answered is not this worker's controller. Tries again, but not soon.</summary>
    public void Refuse(string reason)
    {
        Log.Refused(logger, reason);
        _delay.Lengthen();
        if (_session is { } session)
        {
            session.Refused = true;
            session.Ended.Cancel();
        }
    }

    /// <summary>Begins a new link, whose Hello says what has changed about this machine.</summary>
    public void Reopen() => _session?.Ended.Cancel();

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await ServeAsync(cancellationToken);
                Log.Closed(logger);
            }
            catch (Exception exception) when (exception is RpcException or HttpRequestException or IOException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
            {
                Log.Broken(logger, exception is RpcException rpc ? $"{rpc.StatusCode}: {rpc.Status.Detail}" : exception.Message);
            }

            try
            {
                await Task.Delay(_delay.Next(), time, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(CancellationToken cancellationToken)
    {
        using var session = new Session(cancellationToken);
        var token = connection.Token;
        var client = await connection.ClientAsync(session.Ended.Token);
        using var call = client.WorkerLink(connection.Headers(), cancellationToken: session.Ended.Token);
        await call.RequestStream.WriteAsync(new V1.WorkerLinkRequest { Hello = hello() }, session.Ended.Token);
        if (!await call.ResponseStream.MoveNext(session.Ended.Token) || call.ResponseStream.Current.Welcome is not { } welcome)
        {
            throw new IOException("The controller ended the link without a Welcome.");
        }

        Welcome = welcome;
        if (TokenClaims.ReadUnchecked(token) is { IsFirst: true } && Renew(welcome.Token, welcome.ClusterKey))
        {
            // From here on the credential counts, and the machine's token is worth nothing: the controller knows once it has seen the credential.
            _delay.Reset();
            Log.Exchanged(logger);
            return;
        }

        _session = session;
        var sending = Task.CompletedTask;
        try
        {
            _delay.Reset();
            orphan.Linked();
            var adopts = trust.IsAdopted(welcome);
            Log.Opened(logger, welcome.ClusterId, welcome.Epoch);
            post(new WorkerEvent.LinkOpened(new ClusterIdentity(welcome.ClusterId, welcome.Epoch), welcome.ReportInterval.ToTimeSpan(), adopts));
            Renew(welcome.Token, welcome.ClusterKey);
            sending = SendAllAsync(session, call.RequestStream);
            while (await call.ResponseStream.MoveNext(session.Ended.Token))
            {
                switch (call.ResponseStream.Current)
                {
                    case { Desired: { } desired }:
                        post(new WorkerEvent.DesiredArrived(desired));
                        break;
                    case { Renewal: { } renewal }:
                        Renew(renewal.Token, welcome.ClusterKey);
                        break;
                }
            }
        }
        finally
        {
            _session = null;
            orphan.Unlinked(session.Refused);
            await session.Ended.CancelAsync();
            await sending;
            post(new WorkerEvent.LinkClosed());
        }
    }

    /// <returns>Whether the worker has a new token.</returns>
    private bool Renew(string token, string clusterKey)
    {
        if (token.Length == 0 || !trust.Keep(token, clusterKey))
        {
            return false;
        }

        connection.Token = token;
        return true;
    }

    private async Task SendAllAsync(Session session, IClientStreamWriter<V1.WorkerLinkRequest> stream)
    {
        try
        {
            await foreach (var frame in session.Outgoing.Reader.ReadAllAsync(session.Ended.Token))
            {
                await stream.WriteAsync(new V1.WorkerLinkRequest { Observed = frame }, session.Ended.Token);
                post(new WorkerEvent.LinkReady());
            }
        }
        catch (Exception exception) when (exception is RpcException or IOException or InvalidOperationException or OperationCanceledException)
        {
            // The reading side tells why the stream ended; make sure that it does end.
            await session.Ended.CancelAsync();
        }
    }

    private sealed class Session(CancellationToken cancellationToken) : IDisposable
    {
        // The supervisor sends one frame and waits for LinkReady, so there is never more than one in here.
        public Channel<V1.Observed> Outgoing { get; } = Channel.CreateUnbounded<V1.Observed>(new UnboundedChannelOptions { SingleReader = true });

        /// <summary>What answered is not this worker's controller.</summary>
        public bool Refused { get; set; }

        public CancellationTokenSource Ended { get; } = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);

        public void Dispose() => Ended.Dispose();
    }

    private static partial class Log
    {
        [LoggerMessage(210, LogLevel.Information, "Linked to the controller of cluster {Cluster}, epoch {Epoch}")]
        public static partial void Opened(ILogger logger, string cluster, long epoch);

        [LoggerMessage(211, LogLevel.Information, "The controller ended the link; it is opened again")]
        public static partial void Closed(ILogger logger);

        [LoggerMessage(212, LogLevel.Warning, "No link to the controller ({Reason}); trying again. What runs goes on")]
        public static partial void Broken(ILogger logger, string reason);

        [LoggerMessage(214, LogLevel.Information, "The machine's token was exchanged for a credential of this worker's own")]
        public static partial void Exchanged(ILogger logger);

        [LoggerMessage(213, LogLevel.Error, "Refused a controller. {Reason}")]
        public static partial void Refused(ILogger logger, string reason);
    }
}
