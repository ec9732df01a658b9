using System.Security.Cryptography.X509Certificates;
using Fluster.Cluster;
using Microsoft.Extensions.Logging;

namespace Fluster.Actors;

/// <summary>Settings of an <see cref="ActorServer"/>.</summary>
public sealed record ActorServerOptions
{
    /// <summary>The address to listen on. Default: the job's (<c>FLUSTER_BIND_HOST</c>); outside a job <c>127.0.0.1</c>.</summary>
    public string? Host { get; init; }

    /// <summary>The port to listen on; 0 takes a free one. Default: the job's port "actor", else 0.</summary>
    public int? Port { get; init; }

    /// <summary>
    /// The path of a unix socket on which programs of this machine can call, too (<c>unix:///path</c>). An old one there is replaced. Default: none.
    /// </summary>
    public string? UnixSocket { get; init; }

    /// <summary>The host under which others reach the server, as its endpoints tell them. Default: the job's (<c>FLUSTER_ADVERTISE_HOST</c>), else the one it listens on.</summary>
    public string? AdvertiseHost { get; init; }

    /// <summary>
    /// The certificate, with its private key, that the server shows; it then speaks TLS alone, on loopback too. It stays the caller's. Default: none;
    /// a server that other machines can reach makes one for itself, by whose hash its endpoints and its token let clients know it.
    /// </summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>Lets other machines reach the server without TLS: tokens and arguments then travel as they are. Default: false.</summary>
    public bool AllowPlainHttp { get; init; }

    /// <summary>
    /// Owns the endpoints of a server in a process that is no job (<see cref="IEndpointRegistry.OpenRegistrationAsync"/>). It stays the caller's:
    /// keep it open for as long as the server runs. Default: none; the server is then found only by its address.
    /// </summary>
    public IEndpointRegistration? Registration { get; init; }

    /// <summary>
    /// The public key, PEM, of the cluster whose tokens count, for a server that is found through a <see cref="Registration"/>
    /// (<see cref="FlusterClientOptions.ClusterKey"/> has it). Default: none, and only the server's own token counts.
    /// </summary>
    public string? ClusterKey { get; init; }

    /// <summary>Where a server outside a job writes its address and token, once. Default: standard error; <see cref="TextWriter.Null"/> writes nothing.</summary>
    public TextWriter? Announcements { get; init; }

    /// <summary>Where the server logs. Default: nowhere.</summary>
    public ILoggerFactory? LoggerFactory { get; init; }

    /// <summary>The clock of tokens, silence and absence. Default: the system's.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>How long calls that run may go on when the server stops; then they are cancelled. Default: 5 seconds.</summary>
    public TimeSpan DrainTime { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The largest call or result in bytes. Default: 64 MiB.</summary>
    public int MaxMessageSize { get; init; } = 64 * 1024 * 1024;
}
