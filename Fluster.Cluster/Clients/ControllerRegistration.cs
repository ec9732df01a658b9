using System.Collections.Concurrent;
using System.Security.Cryptography;
using Grpc.Core;

namespace Fluster.Cluster;

/// <summary>
/// A registration at a controller. Keeps a stream open, also over restarts of the controller; when the registration has ended because
/// nothing was heard of it for too long, it opens another one and registers its endpoints again.
/// </summary>
internal sealed class ControllerRegistration : IEndpointRegistration
{
    private static readonly TimeSpan s_longestClose = TimeSpan.FromSeconds(5);

    private readonly ControllerCalls _calls;
    private readonly TimeProvider _time;
    private readonly TimeSpan _retryTimeout;
    private readonly ConcurrentDictionary<EndpointId, RegisteredEndpoint> _held = new();
    private readonly SemaphoreSlim _changing = new(1, 1);
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _closing = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();
    private TaskCompletionSource<RegistrationId> _opened = NewOpened();
    private CancellationTokenSource? _stream;
    private RegistrationId _id = NewId();
    private bool _wasOpen;
    private Task _running = Task.CompletedTask;

    private ControllerRegistration(ControllerCalls calls, Namespace @namespace, TimeSpan retryTimeout, TimeProvider time)
    {
        _calls = calls;
        _retryTimeout = retryTimeout;
        _time = time;
        Namespace = @namespace;
    }

    public Namespace Namespace { get; }

    /// <summary>A registration that is open.</summary>
    /// <exception cref="ClusterException">The controller refused it, or cannot be reached and never was.</exception>
    public static async Task<ControllerRegistration> OpenAsync(
        ControllerCalls calls, Namespace @namespace, TimeSpan retryTimeout, TimeProvider time, CancellationToken cancellationToken)
    {
        var registration = new ControllerRegistration(calls, @namespace, retryTimeout, time);
        registration._running = Detached.Run(registration.RunAsync);
        try
        {
            await registration.OpenedAsync(cancellationToken).ConfigureAwait(false);
            return registration;
        }
        catch
        {
            await registration.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public async Task<RegisteredEndpoint> RegisterAsync(
        string name, string address, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentException.ThrowIfNullOrEmpty(address);
        var endpoint = new RegisteredEndpoint(ControllerEndpoints.NewId(), Namespace, name, address)
        {
            Metadata = metadata ?? new Dictionary<string, string>(StringComparer.Ordinal),
        };

        // Held before it is sent: a stream that is opened again in between registers it as well, under the same id.
        _held[endpoint.Id] = endpoint;
        try
        {
            return await SendUntilOpenAsync(endpoint, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            _held.TryRemove(endpoint.Id, out _);
            throw;
        }
    }

    public async Task UnregisterAsync(EndpointId endpoint, CancellationToken cancellationToken = default)
    {
        await _changing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            _held.TryRemove(endpoint, out _);
            var request = new V1.UnregisterEndpointRequest { EndpointId = endpoint.ToString() };
            await _calls.CallAsync((service, options) => service.UnregisterEndpointAsync(request, options), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Ends the registration and its endpoints. With no controller to be told, they vanish when it has not heard of this for some seconds.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_closing.TrySetResult())
        {
            return;
        }

        if (!_opened.Task.IsCompletedSuccessfully)
        {
            await _stop.CancelAsync().ConfigureAwait(false);
        }

        _stop.CancelAfter(s_longestClose);
        await _running.ConfigureAwait(false);
        _opened.TrySetException(new ObjectDisposedException(nameof(IEndpointRegistration)));
        _stop.Dispose();
        _changing.Dispose();
    }

    private static TaskCompletionSource<RegistrationId> NewOpened() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static RegistrationId NewId() => RegistrationId.Parse("reg-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8)));

    private Task<RegistrationId> OpenedAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return _opened.Task.WaitAsync(cancellationToken);
        }
    }

    private async Task RunAsync()
    {
        var backOff = new BackOff(_time);
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                using var stream = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
                _stream = stream;
                await StreamAsync(() => backOff = new BackOff(_time), stream.Token).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is RpcException or ClusterException or OperationCanceledException)
            {
                if (exception is RpcException { StatusCode: StatusCode.FailedPrecondition } && _wasOpen)
                {
                    _id = NewId(); // it ended while nobody heard of it
                }
                else if (!_wasOpen && exception is RpcException first && !_calls.MayTryAgain(first))
                {
                    _opened.TrySetException(_calls.Translate(first));
                    return;
                }
            }

            catch (ObjectDisposedException exception)
            {
                _opened.TrySetException(exception); // the client was disposed first
                return;
            }

            if (_closing.Task.IsCompleted)
            {
                return;
            }

            NotOpen();
            await backOff.WaitAsync(_stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task StreamAsync(Action onOpen, CancellationToken cancellationToken)
    {
        using var call = _calls.Open((service, options) => service.OpenRegistration(options), cancellationToken);
        var open = new V1.RegistrationOpen { RegistrationId = _id.ToString(), Namespace = Namespace.ToString() };
        await call.RequestStream.WriteAsync(new V1.OpenRegistrationRequest { Open = open }, cancellationToken).ConfigureAwait(false);
        if (!await call.ResponseStream.MoveNext(cancellationToken).ConfigureAwait(false))
        {
            return;
        }

        var interval = call.ResponseStream.Current.BeatInterval.ToTimeSpan();
        _wasOpen = true;
        onOpen();
        lock (_gate)
        {
            _opened.TrySetResult(_id);
        }

        using var restoring = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var restored = RestoreAsync(_id, restoring.Token);
        try
        {
            await BeatAsync(call, interval, restored, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await restoring.CancelAsync().ConfigureAwait(false);
            await restored.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Beats until the stream or this registration ends, or what it holds cannot be registered again.</summary>
    private async Task BeatAsync(
        AsyncDuplexStreamingCall<V1.OpenRegistrationRequest, V1.OpenRegistrationResponse> call, TimeSpan interval, Task restored, CancellationToken cancellationToken)
    {
        var ended = call.ResponseStream.MoveNext(cancellationToken);
        while (true)
        {
            using var waiting = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            await Task.WhenAny(ended, _closing.Task, Task.Delay(interval, _time, waiting.Token)).ConfigureAwait(false);
            await waiting.CancelAsync().ConfigureAwait(false);
            if (ended.IsCompleted)
            {
                await ended.ConfigureAwait(false);
                return;
            }

            if (restored.IsFaulted)
            {
                await restored.ConfigureAwait(false);
            }

            try
            {
                if (_closing.Task.IsCompleted)
                {
                    await call.RequestStream.WriteAsync(new V1.OpenRegistrationRequest { Close = new V1.RegistrationClose() }, cancellationToken).ConfigureAwait(false);
                    await call.RequestStream.CompleteAsync().ConfigureAwait(false);
                    await ended.ConfigureAwait(false);
                    return;
                }

                await call.RequestStream.WriteAsync(new V1.OpenRegistrationRequest { Beat = new V1.RegistrationBeat() }, cancellationToken).ConfigureAwait(false);
            }
            catch (InvalidOperationException)
            {
                await ended.ConfigureAwait(false); // the call is over, and this says why
                return;
            }
        }
    }

    /// <summary>Registers again what is held: nothing changes for what the controller still has.</summary>
    private async Task RestoreAsync(RegistrationId id, CancellationToken cancellationToken)
    {
        foreach (var endpoint in _held.Keys)
        {
            await _changing.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                if (_held.TryGetValue(endpoint, out var held))
                {
                    await SendAsync(held, id, cancellationToken).ConfigureAwait(false);
                }
            }
            finally
            {
                _changing.Release();
            }
        }
    }

    private async Task<RegisteredEndpoint> SendUntilOpenAsync(RegisteredEndpoint endpoint, CancellationToken cancellationToken)
    {
        var started = _time.GetTimestamp();
        while (true)
        {
            var id = await OpenedAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                return await SendAsync(endpoint, id, cancellationToken).ConfigureAwait(false);
            }
            catch (ClusterException exception) when (
                exception.Error is ClusterError.FailedPrecondition or ClusterError.NotFound && _time.GetElapsedTime(started) < _retryTimeout)
            {
                // The registration has ended and the stream does not know it yet.
                Reopen(id);
            }
        }
    }

    private async Task<RegisteredEndpoint> SendAsync(RegisteredEndpoint endpoint, RegistrationId id, CancellationToken cancellationToken)
    {
        var request = new V1.RegisterEndpointRequest { Endpoint = (endpoint with { OwnerRegistration = id }).ToWire() };
        var response = await _calls.CallAsync((service, options) => service.RegisterEndpointAsync(request, options), cancellationToken).ConfigureAwait(false);
        return response.Endpoint.ToDomain();
    }

    private void Reopen(RegistrationId id)
    {
        lock (_gate)
        {
            if (_opened.Task.IsCompletedSuccessfully && _opened.Task.Result == id)
            {
                _opened = NewOpened();
                try
                {
                    _stream?.Cancel();
                }
                catch (ObjectDisposedException)
                {
                    // It is being opened again already.
                }
            }
        }
    }

    private void NotOpen()
    {
        lock (_gate)
        {
            if (_opened.Task.IsCompleted)
            {
                _opened = NewOpened();
            }
        }
    }
}
