using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Grpc.Net.Client;

namespace Fluster.Cluster;

/// <summary>
/// A controller that made its own certificate is known by that certificate's hash, which travels with its tokens: whoever has a token of the
/// cluster can tell its controller from any other.
/// </summary>
internal static class CertificatePin
{
    public static string HashOf(X509Certificate certificate) => Convert.ToHexStringLower(SHA256.HashData(certificate.GetRawCertData()));

    /// <summary>Lets a channel believe this certificate and no other. Null: any that the machine trusts.</summary>
    public static void Apply(GrpcChannelOptions options, string? hash)
    {
        if (hash is not null)
        {
            // RpcChannel promises this kind of handler.
            ((SocketsHttpHandler)options.HttpHandler!).SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) => Matches(certificate, hash);
        }
    }

    public static bool Matches(X509Certificate? certificate, string hash) =>
        certificate is not null && string.Equals(HashOf(certificate), hash, StringComparison.OrdinalIgnoreCase);
}
