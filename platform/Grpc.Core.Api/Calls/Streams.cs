namespace Grpc.Core;

/// <summary>Messages that arrive one after another.</summary>
public interface IAsyncStreamReader<out T>
{
    /// <summary>The message that the last successful <see cref="MoveNext"/> read.</summary>
    T Current { get; }

    /// <summary>Reads the next message; false at the end of the stream.</summary>
    Task<bool> MoveNext(CancellationToken cancellationToken);
}

/// <summary>Messages that are sent one after another. At most one write may be pending.</summary>
public interface IAsyncStreamWriter<in T>
{
    /// <summary>Holds for the next writes.</summary>
    WriteOptions? WriteOptions { get; set; }

    Task WriteAsync(T message);

    /// <summary>Writes a message; a cancelled write cancels the call.</summary>
    /// <exception cref="NotSupportedException">The implementation knows no cancellation, and the token can be cancelled.</exception>
    Task WriteAsync(T message, CancellationToken cancellationToken) => cancellationToken.CanBeCanceled
        ? throw new NotSupportedException("Cancellation of stream writes is not supported by this gRPC implementation.")
        : WriteAsync(message);
}

/// <summary>The client's side of a stream of requests.</summary>
public interface IClientStreamWriter<in T> : IAsyncStreamWriter<T>
{
    /// <summary>Says that no more requests follow.</summary>
    Task CompleteAsync();
}

/// <summary>The server's side of a stream of responses; ends when the method returns.</summary>
public interface IServerStreamWriter<in T> : IAsyncStreamWriter<T>
{
}

public static class AsyncStreamReaderExtensions
{
    public static Task<bool> MoveNext<T>(this IAsyncStreamReader<T> streamReader)
    {
        ArgumentNullException.ThrowIfNull(streamReader);
        return streamReader.MoveNext(CancellationToken.None);
    }
}
