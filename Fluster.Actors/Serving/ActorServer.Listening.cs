using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Fluster.Cluster;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Fluster.Actors;

// Where the server listens, and what certificate it shows there.
public sealed partial class ActorServer
{
    private const string Loopback = "127.0.0.1";

    private X509Certificate2? _certificate;
    private X509Certificate2? _ownCertificate;

    /// <summary>What clients know the server's certificate by; null without TLS.</summary>
    private string? CertificateHash => _certificate is null ? null : CertificatePin.HashOf(_certificate);

    private IPAddress HostOf(FlusterContext? context)
    {
        var host = _options.Host ?? (context is null ? null : FlusterEnvironment.Get(FlusterEnvironment.BindHost)) ?? Loopback;
        return IPAddress.TryParse(host, out var parsed)
            ? parsed
            : Dns.GetHostAddresses(host, AddressFamily.InterNetwork).FirstOrDefault() ?? throw new InvalidOperationException($"The host '{host}' has no address.");
    }

    // Tokens do not travel over a network in the clear, unless the owner says that they may.
    private X509Certificate2? CertificateOf(IPAddress host)
    {
        if (_options.Certificate is { } given)
        {
            return given.HasPrivateKey
                ? given
                : throw new InvalidOperationException($"{nameof(ActorServerOptions)}.{nameof(ActorServerOptions.Certificate)} has no private key, so that nothing can be served with it.");
        }

        return IPAddress.IsLoopback(host) || _options.AllowPlainHttp
            ? null
            : _ownCertificate = SelfSigned.FromPem(SelfSigned.MakePem("fluster-actors", _options.TimeProvider.GetUtcNow()));
    }

    private void Listen(KestrelServerOptions kestrel, IPAddress host, FlusterContext? context)
    {
        var port = _options.Port ?? (context is not null && context.Ports.TryGetValue(PortName, out var given) ? given : 0);
        kestrel.Listen(host, port, listen => listen.Protocols = HttpProtocols.Http2);
        if (_options.UnixSocket is { } path)
        {
            File.Delete(path);
            kestrel.Listen(new UnixDomainSocketEndPoint(path), listen => listen.Protocols = HttpProtocols.Http2);
        }

        kestrel.Listen(SessionListener.Http1, listen => listen.Protocols = HttpProtocols.Http1);
    }

    // The web server does not know of the TLS in front of it.
    private Uri Reachable(string address) => _certificate is null ? new Uri(address) : new UriBuilder(address) { Scheme = Uri.UriSchemeHttps }.Uri;
}
