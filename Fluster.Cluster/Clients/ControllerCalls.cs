using System.Runtime.CompilerServices;
using Grpc.Core;

namespace Fluster.Cluster;

/// <summary>Makes calls to a controller: tries again what can be, and says what went wrong in words.</summary>
internal sealed class ControllerCalls(FlusterClientOptions options, ControllerChannel channel, TimeProvider time)
{
    /// <summary>The longest that one unary call may take; a controller answers in milliseconds.</summary>
    private static readonly TimeSpan s_callTimeout = TimeSpan.FromSeconds(60);

    private volatile bool _reached = options.ExpectController;

    /// <summary>A unary call. While a controller that answered before cannot be reached, the same request is sent again.</summary>
    public async Task<TResponse> CallAsync<TResponse>(
        Func<V1.ControllerService.ControllerServiceClient, CallOptions, AsyncUnaryCall<TResponse>> call, CancellationToken cancellationToken)
    {
        var backOff = new BackOff(time);
        var giveUp = time.GetTimestamp();
        while (true)
        {
            try
            {
                using var running = call(channel.Service, channel.Options(cancellationToken, time.GetUtcNow().UtcDateTime + s_callTimeout));
                var response = await running.ResponseAsync.ConfigureAwait(false);
                _reached = true;
                return response;
            }
            catch (RpcException exception)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (!MayTryAgain(exception) || time.GetElapsedTime(giveUp) >= options.RetryTimeout)
                {
                    throw ClusterErrors.Translate(exception, options);
                }
            }

            await backOff.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>A client stream; sent again from its beginning like a unary call. It has no deadline.</summary>
    public async Task<TResponse> UploadAsync<TRequest, TResponse>(
        Func<V1.ControllerService.ControllerServiceClient, CallOptions, AsyncClientStreamingCall<TRequest, TResponse>> call,
        IEnumerable<TRequest> requests,
        CancellationToken cancellationToken)
    {
        var backOff = new BackOff(time);
        var giveUp = time.GetTimestamp();
        while (true)
        {
            try
            {
                using var running = call(channel.Service, channel.Options(cancellationToken));
                var response = await SendAsync(running, requests, cancellationToken).ConfigureAwait(false);
                _reached = true;
                return response;
            }
            catch (RpcException exception)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (!MayTryAgain(exception) || time.GetElapsedTime(giveUp) >= options.RetryTimeout)
                {
                    throw ClusterErrors.Translate(exception, options);
                }
            }

            await backOff.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// A server stream that is opened again, as <paramref name="call"/> then asks, for as long as it breaks. Ends where the server ended
    /// it well. A caller that sees what it waits for stops reading.
    /// </summary>
    public async IAsyncEnumerable<TResponse> StreamAsync<TResponse>(
        Func<V1.ControllerService.ControllerServiceClient, CallOptions, AsyncServerStreamingCall<TResponse>> call,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var backOff = new BackOff(time);
        while (true)
        {
            using var running = call(channel.Service, channel.Options(cancellationToken));
            while (true)
            {
                try
                {
                    if (!await running.ResponseStream.MoveNext(cancellationToken).ConfigureAwait(false))
                    {
                        yield break;
                    }
                }
                catch (RpcException exception)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    if (!MayTryAgain(exception))
                    {
                        throw ClusterErrors.Translate(exception, options);
                    }

                    break;
                }

                _reached = true;
                backOff = new BackOff(time);
                yield return running.ResponseStream.Current;
            }

            await backOff.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>A bidirectional stream, opened once.</summary>
    public AsyncDuplexStreamingCall<TRequest, TResponse> Open<TRequest, TResponse>(
        Func<V1.ControllerService.ControllerServiceClient, CallOptions, AsyncDuplexStreamingCall<TRequest, TResponse>> call, CancellationToken cancellationToken) =>
        call(channel.Service, channel.Options(cancellationToken));

    /// <summary>Whether a controller that answered before may answer the same soon.</summary>
    public bool MayTryAgain(RpcException exception)
    {
        _reached |= exception.StatusCode == StatusCode.ResourceExhausted; // only a controller says so
        return _reached && (ClusterErrors.IsTransient(exception) || ClusterErrors.IsConnectionLost(exception));
    }

    public ClusterException Translate(RpcException exception) => ClusterErrors.Translate(exception, options);

    private static async Task<TResponse> SendAsync<TRequest, TResponse>(
        AsyncClientStreamingCall<TRequest, TResponse> running, IEnumerable<TRequest> requests, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var request in requests)
            {
                await running.RequestStream.WriteAsync(request, cancellationToken).ConfigureAwait(false);
            }

            await running.RequestStream.CompleteAsync().ConfigureAwait(false);
        }
        catch (RpcException)
        {
            // The server answered before it had read everything; the answer, which comes next, says why.
        }
        catch (InvalidOperationException) when (running.ResponseAsync.IsCompleted)
        {
            // The same, noticed between two messages.
        }

        return await running.ResponseAsync.ConfigureAwait(false);
    }
}
