using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Fluster.Controller;

/// <summary>
/// The certificate that the controller makes for itself at its first start with TLS. No authority vouches for it: its hash is in every token
/// that the controller signs, and whoever has a token believes this certificate and no other.
/// </summary>
internal sealed class ServerCertificate : IDisposable
{
    private const string FileName = "tls.pem";

    private ServerCertificate(X509Certificate2? certificate) => Certificate = certificate;

    /// <summary>Null when no endpoint needs it.</summary>
    public X509Certificate2? Certificate { get; }

    /// <summary>What tokens say of it.</summary>
    public string? Hash => Certificate is null ? null : CertificatePin.HashOf(Certificate);

    /// <summary>The one of the data directory, made at the first start (0600); nothing when no endpoint needs it.</summary>
    /// <exception cref="StoreException">The one of the data directory cannot be read.</exception>
    public static ServerCertificate Load(DataDirectory directory, IConfiguration configuration, TimeProvider time)
    {
        if (!ListenerRules.NeedOwnCertificate(configuration))
        {
            return new ServerCertificate(null);
        }

        var path = Path.Combine(directory.FullPath, FileName);
        if (!File.Exists(path))
        {
            DurableFile.Write(path, Encoding.ASCII.GetBytes(SelfSigned.MakePem("fluster-controller", time.GetUtcNow())), secret: true);
        }

        try
        {
            return new ServerCertificate(SelfSigned.FromPem(File.ReadAllText(path)));
        }
        catch (CryptographicException exception)
        {
            throw new StoreException($"'{path}' is damaged: {exception.Message} Without it the controller makes another at its next start, and tokens that name this one no longer lead here.", exception);
        }
    }

    public void Dispose() => Certificate?.Dispose();
}
