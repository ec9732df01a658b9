using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Fluster.Cluster;

/// <summary>Certificates that servers make for themselves. No authority vouches for them: clients know them by their hash (<see cref="CertificatePin"/>).</summary>
internal static class SelfSigned
{
    private const int YearsOfLife = 10;

    /// <summary>A certificate with its private key, PEM. Secret.</summary>
    public static string MakePem(string name, DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
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

    /// <summary>One that can be served with.</summary>
    /// <exception cref="CryptographicException">The text is none.</exception>
    public static X509Certificate2 FromPem(string pem)
    {
        using var read = X509Certificate2.CreateFromPem(pem, pem);

        // Some platforms cannot serve with a key that only memory has; this form they all take.
        return X509CertificateLoader.LoadPkcs12(read.Export(X509ContentType.Pkcs12), password: null);
    }
}
