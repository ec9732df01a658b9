using System.IO.Pipelines;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Fluster.Actors;

/// <summary>Opens TLS before anybody looks at what a connection carries: the client says that in the handshake (ALPN).</summary>
internal sealed class TlsDoor(X509Certificate2 certificate)
{
    /// <summary>What a client of sessions names in the handshake.</summary>
    public static readonly SslApplicationProtocol Session = new("fluster");

    /// <summary>What every TLS connection begins with: a record of the handshake.</summary>
    public const byte FirstByte = 0x16;

    private readonly SslServerAuthenticationOptions _options = new()
    {
        ServerCertificateContext = SslStreamCertificateContext.Create(certificate, additionalCertificates: null, offline: true),
        ApplicationProtocols = [Session, SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
    };

    public async Task<SslStream> OpenAsync(Socket socket, CancellationToken cancellationToken)
    {
        var stream = new SslStream(new NetworkStream(socket, ownsSocket: true));
        try
        {
            await stream.AuthenticateAsServerAsync(_options, cancellationToken).ConfigureAwait(false);
            return stream;
        }
        catch
        {
            await stream.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>What the web server gets of such a connection.</summary>
    public static ConnectionContext Http(SslStream stream, Socket socket) => new TlsConnection(stream, socket);

    private sealed class TlsConnection : DefaultConnectionContext, IDuplexPipe, ITlsConnectionFeature, ITlsApplicationProtocolFeature
    {
        private readonly SslStream _stream;
        private readonly Socket _socket;

        public TlsConnection(SslStream stream, Socket socket)
            : base(Guid.NewGuid().ToString("N"))
        {
            _stream = stream;
            _socket = socket;
            Input = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));
            Output = PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true));
            Transport = this;
            LocalEndPoint = socket.LocalEndPoint;
            RemoteEndPoint = socket.RemoteEndPoint;

            // The web server is to know that it serves https, and that the client wants it to speak HTTP/2.
            Features.Set<ITlsConnectionFeature>(this);
            Features.Set<ITlsApplicationProtocolFeature>(this);
        }

        public PipeReader Input { get; }

        public PipeWriter Output { get; }

        public ReadOnlyMemory<byte> ApplicationProtocol => _stream.NegotiatedApplicationProtocol.Protocol;

        X509Certificate2? ITlsConnectionFeature.ClientCertificate { get; set; }

        Task<X509Certificate2?> ITlsConnectionFeature.GetClientCertificateAsync(CancellationToken cancellationToken) => Task.FromResult<X509Certificate2?>(null);

        public override void Abort(ConnectionAbortedException abortReason)
        {
            base.Abort(abortReason);
            try
            {
                _socket.Shutdown(SocketShutdown.Both); // who reads or writes is told by the stream
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
                // It is closed already.
            }
        }

        public override async ValueTask DisposeAsync()
        {
            await _stream.DisposeAsync().ConfigureAwait(false);
            await base.DisposeAsync().ConfigureAwait(false);
        }
    }
}
