using System.Net.Sockets;
using System.Security.Authentication;
using Grpc.Core;

namespace Fluster.Cluster;

/// <summary>What a failed call means for whoever made it.</summary>
internal static class ClusterErrors
{
    /// <summary>By which a server says that it is only too many calls at once: what is exhausted otherwise (a disk, a size) stays so.</summary>
    private const string TryAgain = "grpc-retry-pushback-ms";

    /// <summary>Whether trying the same again may help.</summary>
    /// <remarks>A server that dies in the middle of an answer shows as Cancelled; the caller's own cancellation is dealt with before.</remarks>
    public static bool IsTransient(RpcException exception) =>
        exception.StatusCode is StatusCode.Unavailable or StatusCode.Cancelled && (!IsNotAController(exception) || IsBrokenOff(exception))
        || exception.StatusCode == StatusCode.ResourceExhausted && exception.Trailers.Get(TryAgain) is not null;

    /// <summary>
    /// Whether the connection under the call broke, a ping without an answer included. Another program that speaks no HTTP/2 looks like that too: it
    /// counts only for what is known to be a controller.
    /// </summary>
    public static bool IsConnectionLost(RpcException exception) =>
        exception.StatusCode is StatusCode.Internal or StatusCode.Unavailable or StatusCode.Cancelled && Causes(exception).OfType<HttpProtocolException>().Any();

    public static ClusterException Translate(RpcException exception, FlusterClientOptions options)
    {
        var detail = exception.Status.Detail;
        var source = options.Source is null ? "" : $" (from {options.Source})";
        var (error, message) = exception.StatusCode switch
        {
            _ when IsNotAController(exception) => (ClusterError.Unavailable,
                $"What answers at {options.Address}{source} is not a Fluster controller's gRPC endpoint. Check the address: a controller has another one for its pages."),
            _ when Causes(exception).OfType<AuthenticationException>().Any() => (ClusterError.Unauthenticated,
                $"What answers at {options.Address}{source} has another certificate than the one that the token or the context names, and none that this machine trusts."),
            StatusCode.Unavailable or StatusCode.Cancelled => (ClusterError.Unavailable, Unreachable(exception, options.Address, source)),
            StatusCode.Unauthenticated => (ClusterError.Unauthenticated, options.Token is null
                ? $"The controller at {options.Address}{source} asks for a token, and there is none: {detail}"
                : $"The controller at {options.Address}{source} does not accept the token: {detail}"),
            StatusCode.DeadlineExceeded => (ClusterError.Unavailable, $"The controller at {options.Address} did not answer in time."),
            StatusCode.InvalidArgument or StatusCode.OutOfRange => (ClusterError.InvalidArgument, detail),
            StatusCode.NotFound => (ClusterError.NotFound, detail),
            StatusCode.AlreadyExists => (ClusterError.AlreadyExists, detail),
            StatusCode.FailedPrecondition or StatusCode.Aborted => (ClusterError.FailedPrecondition, detail),
            StatusCode.PermissionDenied => (ClusterError.PermissionDenied, detail),
            StatusCode.ResourceExhausted => (ClusterError.ResourceExhausted, detail),
            StatusCode.Unimplemented => (ClusterError.Unimplemented, $"The controller at {options.Address} does not know this call; it may be older than this client. {detail}".TrimEnd()),
            _ => (ClusterError.Internal, $"The controller at {options.Address} failed: {detail}"),
        };
        return new ClusterException(error, message, exception);
    }

    private static string Unreachable(RpcException exception, string address, string source)
    {
        var socket = Causes(exception).OfType<SocketException>().FirstOrDefault();
        return socket?.SocketErrorCode switch
        {
            SocketError.ConnectionRefused => $"No controller is running at {address}{source}: the connection was refused. Check the address. {ClientEnvironment.HowToStart}.",
            SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain => $"The controller's address {address}{source} leads nowhere: {socket.Message}.",
            null or SocketError.ConnectionReset when IsBrokenOff(exception) =>
                $"What answers at {address}{source} hangs up: a controller that is just ending, or it is not a Fluster controller's gRPC endpoint. Check the address: a controller has another one for its pages.",
            null when Causes(exception).OfType<HttpRequestException>().FirstOrDefault() is null && exception.Status.DebugException is null =>
                $"The controller at {address} cannot serve now: {exception.Status.Detail}",
            _ => $"The controller at {address}{source} cannot be reached: {(socket ?? Causes(exception).Last()).Message}",
        };
    }

    // A controller that is killed before it has shaken hands, or another program that hangs up.
    private static bool IsBrokenOff(RpcException exception) =>
        Causes(exception).Any(cause => cause is SocketException or HttpIOException { HttpRequestError: HttpRequestError.ResponseEnded });

    // The pages' port, or another program: it answers, but not in HTTP/2 or not in gRPC.
    private static bool IsNotAController(RpcException exception) =>
        Causes(exception).OfType<HttpRequestException>().Any(cause => cause.HttpRequestError is HttpRequestError.HttpProtocolError or HttpRequestError.InvalidResponse or HttpRequestError.VersionNegotiationError)
        && !Causes(exception).OfType<HttpProtocolException>().Any(cause => cause.ErrorCode is 0 or 7 or 8) // GOAWAY and refused streams of a server that stops
        || exception.Status.Detail.StartsWith("Bad gRPC response", StringComparison.Ordinal);

    private static IEnumerable<Exception> Causes(RpcException exception)
    {
        for (var cause = (Exception?)exception; cause is not null; cause = cause is RpcException rpc ? rpc.Status.DebugException : cause.InnerException)
        {
            yield return cause;
        }
    }
}
