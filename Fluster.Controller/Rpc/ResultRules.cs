using Grpc.Core;

namespace Fluster.Controller;

/// <summary>How large what travels inside messages may be; above that it is a blob.</summary>
internal static class ResultRules
{
    public const int MostInline = 16 << 10;
    public const long MostResult = 16L << 20;

    /// <exception cref="RpcException">The result breaks a rule that its worker knows.</exception>
    public static void Check(ResultRecord? result)
    {
        if (result is null)
        {
            return;
        }

        if (result.Inline.Length > MostInline || result.Size is < 0 or > MostResult || result.BlobHash.Length > 0 && !BlobStore.IsHash(result.BlobHash))
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"A result has at most {MostResult:N0} bytes, and above {MostInline:N0} it is a blob."));
        }
    }
}
