namespace Fluster.Cluster;

/// <summary>Which controller a client speaks to, and as whom.</summary>
public sealed record FlusterClientOptions
{
    /// <summary>The controller's gRPC address: <c>http://127.0.0.1:7071</c>.</summary>
    /// <exception cref="ArgumentException">The value is not an absolute http or https address.</exception>
    public required string Address
    {
        get;
        init => field = Uri.TryCreate(value, UriKind.Absolute, out var address) && address.Scheme is "http" or "https"
            ? value.TrimEnd('/')
            : throw new ArgumentException($"'{value}' is not the address of a controller: write it as http://host:port.", nameof(value));
    }

    /// <summary>The token that every call carries. Secret. Default: none.</summary>
    public string? Token { get; init; }

    /// <summary>The cluster's public key, PEM; whoever checks tokens of this cluster needs it. Default: none.</summary>
    public string? ClusterKey { get; init; }

    /// <summary>
    /// SHA-256, in hexadecimal digits, of the only certificate that is believed to be the controller's. Default: the one that the token
    /// names, as tokens of a controller that made its own certificate do; else any that this machine trusts.
    /// </summary>
    public string? CertificateHash { get; init; }

    /// <summary>The namespace of root jobs and of look-ups outside a job. Default: <see cref="Namespace.Default"/>.</summary>
    public Namespace Namespace { get; init; } = Namespace.Default;

    /// <summary>Gives every root job a namespace of its own, named like the job (seed 001). Default: false.</summary>
    public bool NamespacePerRootJob { get; init; }

    /// <summary>
    /// How long a call is tried again while a controller that answered before cannot be reached, for example because it restarts.
    /// Waits and log streams go on without limit. Default: 30 seconds.
    /// </summary>
    public TimeSpan RetryTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>After how much silence of the controller it is asked for a sign of life, which has two thirds of that to come.</summary>
    internal TimeSpan PingDelay { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>The controller is known to exist, so that even the first call waits for it.</summary>
    internal bool ExpectController { get; init; }

    /// <summary>Where the address and the token come from, for messages.</summary>
    internal string? Source { get; init; }

    // Never prints the token.
    private bool PrintMembers(System.Text.StringBuilder builder)
    {
        builder.Append($"Address = {Address}, Namespace = {Namespace}, Token = {(Token is null ? "none" : "***")}");
        return true;
    }
}
