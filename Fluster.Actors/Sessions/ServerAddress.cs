using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>A server that sessions are opened with.</summary>
/// <param name="Uri">Where it is.</param>
/// <param name="CertificateHash">The certificate that it shows, if it has TLS. Null: that which its token names, else any that this machine trusts.</param>
internal sealed record ServerAddress(Uri Uri, string? CertificateHash)
{
    /// <summary>For people.</summary>
    public override string ToString() => Uri.GetLeftPart(UriPartial.Path);

    /// <summary>Connects, with TLS where the address says so.</summary>
    /// <param name="token">The token that is to be sent there.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="SessionRefusedException">The server shows another certificate.</exception>
    public async Task<SessionTransport> ConnectAsync(string? token, CancellationToken cancellationToken)
    {
        var isUnix = Uri.Scheme == ActorAddress.Unix;
        var socket = isUnix
            ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
            : new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(isUnix ? new UnixDomainSocketEndPoint(Uri.LocalPath) : new DnsEndPoint(Uri.Host, Uri.Port), cancellationToken).ConfigureAwait(false);
            return Uri.Scheme == Uri.UriSchemeHttps
                ? await OpenAsync(socket, CertificateHash ?? ActorTokens.CertificateOf(token), cancellationToken).ConfigureAwait(false)
                : new SocketTransport(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task<SessionTransport> OpenAsync(Socket socket, string? hash, CancellationToken cancellationToken)
    {
        var isOther = false;
        var options = new SslClientAuthenticationOptions { TargetHost = Uri.Host, ApplicationProtocols = [TlsDoor.Session] };
        options.RemoteCertificateValidationCallback = (_, certificate, _, errors) =>
        {
            isOther = hash is null ? errors != SslPolicyErrors.None : !CertificatePin.Matches(certificate, hash);
            return !isOther;
        };
        var stream = new SslStream(new NetworkStream(socket, ownsSocket: true));
        try
        {
            await stream.AuthenticateAsClientAsync(options, cancellationToken).ConfigureAwait(false);
            return new StreamTransport(stream, socket);
        }
        catch (Exception exception)
        {
            await stream.DisposeAsync().ConfigureAwait(false);
            if (!isOther)
            {
                throw;
            }

            throw new SessionRefusedException(CallFailure.Of(ActorErrorKind.PermissionDenied, hash is null
                ? $"This machine does not trust the certificate of {this}: {exception.Message}"
                : $"{this} shows another certificate than the one that its endpoint or its token names."));
        }
    }
}
