using System.Collections.Concurrent;
using Google.Protobuf;

namespace Fluster.Cluster;

/// <summary>Brings blobs to a controller: only those it lacks.</summary>
internal sealed class BlobUploader(ControllerCalls calls, TimeProvider time)
{
    private const int PieceBytes = 256 * 1024; // the most that one message may carry
    private const int HashesPerCall = 10_000;

    // A controller keeps what nobody names for an hour; what it had lately it still has.
    private static readonly TimeSpan s_remember = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<string, long> _known = new(StringComparer.Ordinal);

    /// <summary>The number of blobs and bytes that were sent, for whoever wants to know what a submit moved.</summary>
    public (int Blobs, long Bytes) Sent => (Volatile.Read(ref _sentBlobs), Interlocked.Read(ref _sentBytes));

    private int _sentBlobs;
    private long _sentBytes;

    /// <summary>Sends those of the blobs that the controller lacks. Returns when it has all of them on disk.</summary>
    public async Task EnsureAsync(IReadOnlyCollection<BlobSource> blobs, CancellationToken cancellationToken)
    {
        var unsure = blobs.Where(blob => !IsKnown(blob.Hash)).DistinctBy(blob => blob.Hash, StringComparer.Ordinal).ToDictionary(blob => blob.Hash, StringComparer.Ordinal);
        foreach (var hashes in unsure.Keys.Chunk(HashesPerCall))
        {
            var request = new V1.HasBlobsRequest();
            request.Hashes.AddRange(hashes);
            var response = await calls.CallAsync((service, options) => service.HasBlobsAsync(request, options), cancellationToken).ConfigureAwait(false);
            var missing = response.Missing.Select(hash => unsure[hash]).ToList();
            if (missing.Count > 0)
            {
                await calls.UploadAsync((service, options) => service.UploadBlobs(options), Messages(missing), cancellationToken).ConfigureAwait(false);
                Interlocked.Add(ref _sentBlobs, missing.Count);
                Interlocked.Add(ref _sentBytes, missing.Sum(blob => blob.Size));
            }

            foreach (var hash in hashes)
            {
                _known[hash] = time.GetTimestamp();
            }
        }
    }

    /// <summary>The controller says that it lacks blobs: ask again next time.</summary>
    public void Forget() => _known.Clear();

    private bool IsKnown(string hash) => _known.TryGetValue(hash, out var since) && time.GetElapsedTime(since) < s_remember;

    private static IEnumerable<V1.UploadBlobsRequest> Messages(IEnumerable<BlobSource> blobs)
    {
        foreach (var blob in blobs)
        {
            yield return new V1.UploadBlobsRequest { Begin = blob.ToWire() };
            using var stream = blob.Open();
            for (var left = blob.Size; left > 0;)
            {
                var piece = new byte[Math.Min(left, PieceBytes)];
                var read = stream.ReadAtLeast(piece, piece.Length, throwOnEndOfStream: false);
                left -= read;
                if (read < piece.Length || left == 0 && stream.ReadByte() >= 0)
                {
                    throw new InvalidOperationException($"{blob.File} changed while it was being sent. Submit again when nothing writes to it.");
                }

                yield return new V1.UploadBlobsRequest { Data = UnsafeByteOperations.UnsafeWrap(piece) };
            }
        }
    }
}
