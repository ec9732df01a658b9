namespace Grpc.Core;

/// <summary>How a channel secures its connections.</summary>
public abstract class ChannelCredentials
{
    /// <summary>No encryption.</summary>
    public static ChannelCredentials Insecure { get; } = new InsecureCredentials();

    /// <summary>TLS with the certificates that the system trusts.</summary>
    public static ChannelCredentials SecureSsl { get; } = new SslCredentials();

    // Call credentials are secrets: they travel only over credentials that encrypt.
    internal virtual bool IsComposable => false;

    /// <summary>Channel credentials with call credentials for every call.</summary>
    /// <exception cref="ArgumentException">The channel credentials do not encrypt, or are composed already.</exception>
    public static ChannelCredentials Create(ChannelCredentials channelCredentials, CallCredentials callCredentials) =>
        new Composite(channelCredentials, callCredentials);

    /// <summary>For client libraries: calls back the method of <paramref name="configurator"/> that fits.</summary>
    public abstract void InternalPopulateConfiguration(ChannelCredentialsConfiguratorBase configurator, object state);

    private sealed class InsecureCredentials : ChannelCredentials
    {
        public override void InternalPopulateConfiguration(ChannelCredentialsConfiguratorBase configurator, object state) =>
            configurator.SetInsecureCredentials(state);
    }

    private sealed class Composite : ChannelCredentials
    {
        private readonly ChannelCredentials _channel;
        private readonly CallCredentials _call;

        public Composite(ChannelCredentials channel, CallCredentials call)
        {
            ArgumentNullException.ThrowIfNull(channel);
            ArgumentNullException.ThrowIfNull(call);
            if (!channel.IsComposable)
            {
                throw new ArgumentException($"CallCredentials can't be composed with {channel.GetType().Name}. CallCredentials must be used with secure channel credentials like SslCredentials.", nameof(channel));
            }

            _channel = channel;
            _call = call;
        }

        public override void InternalPopulateConfiguration(ChannelCredentialsConfiguratorBase configurator, object state) =>
            configurator.SetCompositeCredentials(state, _channel, _call);
    }
}

/// <summary>For client libraries: learns what channel credentials consist of.</summary>
public abstract class ChannelCredentialsConfiguratorBase
{
    public abstract void SetInsecureCredentials(object state);

    public abstract void SetSslCredentials(object state, string? rootCertificates, KeyCertificatePair? keyCertificatePair, VerifyPeerCallback? verifyPeerCallback);

    public abstract void SetCompositeCredentials(object state, ChannelCredentials channelCredentials, CallCredentials callCredentials);
}
