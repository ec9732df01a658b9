using Grpc.Core;

namespace Fluster.Worker;

/// <summary>
/// How the worker reaches its controller: the address is resolved again for every stream, so that a controller that comes back elsewhere is found,
/// and every call carries the worker's token, which the controller renews.
/// </summary>
/// <param name="connect">Gives an invoker for the controller's present address.</param>
/// <param name="token">The token that the worker was started with.</param>
internal sealed class ControllerConnection(Func<CancellationToken, ValueTask<CallInvoker>> connect, string token)
{
    private volatile string _token = token;

    /// <summary>The worker's token. Replaced when the controller renews it.</summary>
    public string Token
    {
        get => _token;
        set => _token = value;
    }

    /// <summary>A client of the controller, for one stream or a few calls.</summary>
    public async ValueTask<V1.ControllerService.ControllerServiceClient> ClientAsync(CancellationToken cancellationToken) => new(await connect(cancellationToken));

    /// <summary>The metadata of every call.</summary>
    public Metadata Headers() => new()
    {
        { "authorization", "Bearer " + _token },
        { ProtocolVersion.Metadata, ProtocolVersion.Current },
    };
}
