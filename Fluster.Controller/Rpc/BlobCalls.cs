using Google.Protobuf;
using Grpc.Core;

namespace Fluster.Controller;

/// <summary>Blobs in and out.</summary>
internal sealed class BlobCalls(BlobStore blobs, DiskSpace disk)
{
    private const int MostHashes = 10_000;
    private const int PieceSize = 256 << 10;

    public V1.HasBlobsResponse Has(V1.HasBlobsRequest request)
    {
        if (request.Hashes.Count > MostHashes)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"One call asks for {MostHashes:N0} blobs at most; this one asks for {request.Hashes.Count:N0}."));
        }

        if (request.Hashes.FirstOrDefault(hash => !BlobStore.IsHash(hash)) is { } wrong)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"'{wrong}' does not name a blob: a name is a SHA-256 in 64 lower-case hexadecimal digits."));
        }

        var response = new V1.HasBlobsResponse();
        response.Missing.AddRange(blobs.Missing(request.Hashes));
        return response;
    }

    public async Task<V1.UploadBlobsResponse> UploadAsync(IAsyncStreamReader<V1.UploadBlobsRequest> parts, CancellationToken cancellationToken)
    {
        var stored = 0;
        BlobUpload? upload = null;
        try
        {
            while (await parts.MoveNext(cancellationToken))
            {
                switch (parts.Current.PartCase)
                {
                    case V1.UploadBlobsRequest.PartOneofCase.Begin when upload is null:
                        if (disk.IsShort)
                        {
                            throw new RpcException(new Status(StatusCode.ResourceExhausted, "The controller's disk is almost full: it takes no blobs until there is room."));
                        }

                        upload = blobs.Begin(parts.Current.Begin);
                        break;
                    case V1.UploadBlobsRequest.PartOneofCase.Data when upload is not null && parts.Current.Data.Length <= PieceSize:
                        upload.Write(parts.Current.Data.Span);
                        break;
                    default:
                        throw new RpcException(new Status(
                            StatusCode.InvalidArgument, $"An upload is a sequence of blobs: 'begin', then its bytes in pieces of at most {PieceSize:N0}, then the next 'begin'."));
                }

                if (upload.Remaining == 0)
                {
                    upload.Complete();
                    upload.Dispose();
                    upload = null;
                    stored++;
                }
            }

            return upload is null
                ? new V1.UploadBlobsResponse { Stored = stored }
                : throw new RpcException(new Status(StatusCode.InvalidArgument, $"The last blob is not complete: {upload.Remaining:N0} bytes are missing."));
        }
        catch (BlobRefusedException refused)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, refused.Message));
        }
        finally
        {
            upload?.Dispose();
        }
    }

    public async Task GetAsync(V1.GetBlobRequest request, IServerStreamWriter<V1.GetBlobResponse> responses, CancellationToken cancellationToken)
    {
        await using var file = blobs.OpenRead(request.Hash)
            ?? throw new RpcException(new Status(StatusCode.NotFound, $"There is no blob '{request.Hash}'."));
        while (true)
        {
            var piece = new byte[PieceSize];
            var length = await file.ReadAtLeastAsync(piece, PieceSize, throwOnEndOfStream: false, cancellationToken);
            if (length > 0)
            {
                await responses.WriteAsync(new V1.GetBlobResponse { Data = UnsafeByteOperations.UnsafeWrap(piece.AsMemory(0, length)) }, cancellationToken);
            }

            if (length < PieceSize)
            {
                return;
            }
        }
    }
}
