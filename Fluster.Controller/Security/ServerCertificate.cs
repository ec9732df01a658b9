using System.Net;
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
    private const int YearsOfLife = 10;

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
            DurableFile.Write(path, Encoding.ASCII.GetBytes(Make(time.GetUtcNow())), secret: true);
        }

        try
        {
            using var read = X509Certificate2.CreateFromPemFile(path);

            // Some platforms cannot serve with a key that only memory has; this form they all take.
            return new ServerCertificate(X509CertificateLoader.LoadPkcs12(read.Export(X509ContentType.Pkcs12), password: null));
        }
        catch (CryptographicException exception)
        {
            throw new StoreException($"'{path}' is damaged: {exception.Message} Without it the controller makes another at its next start, and tokens that name this one no longer lead here.", exception);
        }
    }

    public void Dispose() => Certificate?.Dispose();

    private static string Make(DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=fluster-controller", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddDnsName(Environment.MachineName);
        names.AddIpAddress(IPAddress.Loopback);
        names.AddIpAddress(IPAddress.IPv6Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], critical: false)); // a server's
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddYears(YearsOfLife));
        return certificate.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem() + "\n";
    }
}
