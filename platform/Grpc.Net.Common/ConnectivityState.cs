namespace Grpc.Core;

/// <summary>Where a channel is in its life.</summary>
public enum ConnectivityState
{
    Idle,
    Connecting,
    Ready,

    /// <summary>The last attempt to connect failed; another follows.</summary>
    TransientFailure,

    Shutdown,
}
