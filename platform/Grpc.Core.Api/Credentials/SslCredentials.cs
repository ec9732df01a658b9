namespace Grpc.Core;

/// <summary>TLS. Grpc.Net.Client takes certificates from its HTTP handler and accepts only the parameterless form.</summary>
public sealed class SslCredentials : ChannelCredentials
{
    private readonly VerifyPeerCallback? _verifyPeerCallback;

    public SslCredentials()
        : this(null!, null!, null!)
    {
    }

    public SslCredentials(string rootCertificates)
        : this(rootCertificates, null!, null!)
    {
    }

    public SslCredentials(string rootCertificates, KeyCertificatePair keyCertificatePair)
        : this(rootCertificates, keyCertificatePair, null!)
    {
    }

    public SslCredentials(string rootCertificates, KeyCertificatePair keyCertificatePair, VerifyPeerCallback verifyPeerCallback)
    {
        RootCertificates = rootCertificates;
        KeyCertificatePair = keyCertificatePair;
        _verifyPeerCallback = verifyPeerCallback;
    }

    /// <summary>PEM, or null for the system's.</summary>
    public string? RootCertificates { get; }

    /// <summary>The client's own certificate, or null.</summary>
    public KeyCertificatePair? KeyCertificatePair { get; }

    internal override bool IsComposable => true;

    public override void InternalPopulateConfiguration(ChannelCredentialsConfiguratorBase configurator, object state) =>
        configurator.SetSslCredentials(state, RootCertificates, KeyCertificatePair, _verifyPeerCallback);
}

/// <summary>A certificate chain with the private key of its first certificate, both PEM.</summary>
public sealed class KeyCertificatePair
{
    public KeyCertificatePair(string certificateChain, string privateKey)
    {
        ArgumentNullException.ThrowIfNull(certificateChain);
        ArgumentNullException.ThrowIfNull(privateKey);
        CertificateChain = certificateChain;
        PrivateKey = privateKey;
    }

    public string CertificateChain { get; }

    public string PrivateKey { get; }
}

/// <summary>The peer that a TLS handshake reached.</summary>
public class VerifyPeerContext
{
    internal VerifyPeerContext(string targetName, string peerPem)
    {
        TargetName = targetName;
        PeerPem = peerPem;
    }

    public string TargetName { get; }

    public string PeerPem { get; }
}

/// <summary>Returns whether the peer is accepted.</summary>
public delegate bool VerifyPeerCallback(VerifyPeerContext context);
