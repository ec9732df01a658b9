using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;

namespace Fluster.Worker;

/// <summary>The controller does not take a blob, and trying again would not help.</summary>
internal sealed class BlobRefusedException(string message) : Exception(message);

/// <summary>Blobs from the controller and to it. Tries again while the controller cannot be reached.</summary>
internal sealed class BlobTransfer(ControllerConnection connection, TimeProvider time)
{
    private const int PieceBytes = 256 * 1024; // the most that one message may carry

    /// <summary>After so long without the controller an attempt is given back: another worker may have better luck.</summary>
    private static readonly TimeSpan s_fetchPatience = TimeSpan.FromMinutes(2);

    /// <summary>Writes the bytes of a blob into a stream that can begin again.</summary>
    /// <exception cref="IOException">The controller does not have it, or cannot be reached.</exception>
    public async Task FetchAsync(V1.BlobRef blob, Stream destination, CancellationToken cancellationToken)
    {
        var delay = new ReconnectDelay();
        var started = time.GetTimestamp();
        for (var received = 0L; ;)
        {
            try
            {
                var client = await connection.ClientAsync(cancellationToken);
                using var call = client.GetBlob(new V1.GetBlobRequest { Hash = blob.Hash }, connection.Headers(), cancellationToken: cancellationToken);
                var skip = received; // what an earlier try brought
                await foreach (var response in call.ResponseStream.ReadAllAsync(cancellationToken))
                {
                    var data = response.Data.Memory;
                    var known = (int)Math.Min(skip, data.Length);
                    skip -= known;
                    await destination.WriteAsync(data[known..], cancellationToken);
                    received += data.Length - known;
                }

                return;
            }
            catch (RpcException exception)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (!IsTransient(exception) || time.GetElapsedTime(started) > s_fetchPatience)
                {
                    throw new IOException($"The blob {blob.Hash} could not be fetched from the controller: {exception.Status.Detail}", exception);
                }
            }

            await Task.Delay(delay.Next(), time, cancellationToken);
        }
    }

    /// <summary>Gives the cluster some bytes. Returns when they are on the controller's disk.</summary>
    /// <exception cref="BlobRefusedException">It does not take them.</exception>
    public async Task<V1.BlobRef> UploadAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var blob = new V1.BlobRef { Hash = Convert.ToHexStringLower(SHA256.HashData(content.Span)), Size = content.Length };
        var delay = new ReconnectDelay();
        while (true)
        {
            try
            {
                await SendAsync(blob, content, cancellationToken);
                return blob;
            }
            catch (RpcException exception) when (IsTransient(exception))
            {
                cancellationToken.ThrowIfCancellationRequested();
            }
            catch (RpcException exception)
            {
                cancellationToken.ThrowIfCancellationRequested();
                throw new BlobRefusedException(exception.Status.Detail);
            }

            await Task.Delay(delay.Next(), time, cancellationToken);
        }
    }

    private async Task SendAsync(V1.BlobRef blob, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var client = await connection.ClientAsync(cancellationToken);
        using var call = client.UploadBlobs(connection.Headers(), cancellationToken: cancellationToken);
        try
        {
            await call.RequestStream.WriteAsync(new V1.UploadBlobsRequest { Begin = blob }, cancellationToken);
            for (var rest = content; !rest.IsEmpty; rest = rest[Math.Min(PieceBytes, rest.Length)..])
            {
                var piece = UnsafeByteOperations.UnsafeWrap(rest[..Math.Min(PieceBytes, rest.Length)]);
                await call.RequestStream.WriteAsync(new V1.UploadBlobsRequest { Data = piece }, cancellationToken);
            }

            await call.RequestStream.CompleteAsync();
        }
        catch (Exception exception) when (exception is RpcException or InvalidOperationException)
        {
            // The controller answered before it had everything; the answer, which comes next, says why.
        }

        await call.ResponseAsync;
    }

    private static bool IsTransient(RpcException exception) =>
        exception.StatusCode is StatusCode.Unavailable or StatusCode.Internal or StatusCode.Cancelled or StatusCode.DeadlineExceeded or StatusCode.Aborted or StatusCode.ResourceExhausted;
}
