using Fluster.Cluster;

namespace Fluster.Actors;

// How a server is found: its address, and its actors as endpoints of a cluster.
public sealed partial class ActorServer
{
    private ActorRegistration? _registration;
    private LocalServer? _local;

    /// <summary>As <see cref="Register"/>; returns when the cluster knows of the actor, if the server runs in one.</summary>
    /// <param name="name">The name.</param>
    /// <param name="actor">The object.</param>
    /// <param name="options">How calls enter it.</param>
    /// <param name="cancellationToken">Stops the wait; the actor is served nevertheless.</param>
    /// <exception cref="ArgumentException">The name is empty or taken.</exception>
    /// <exception cref="ClusterException">The cluster refused it or cannot be reached; the actor is not served then.</exception>
    public async Task RegisterAsync(string name, object actor, ActorOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(actor);
        var hosted = _actors.Add(name, actor, options);
        if (_registration is not { } registration)
        {
            return;
        }

        try
        {
            await registration.AddAsync(hosted, cancellationToken).ConfigureAwait(false);
        }
        catch (ClusterException)
        {
            _actors.Remove(name);
            throw;
        }
    }

    /// <summary>
    /// Takes an actor away: first it is found no more, then it takes no calls. Those that run go on. Another object can be registered under
    /// the name then; who resolved this one is told that it is another.
    /// </summary>
    /// <returns>Whether there was one of that name.</returns>
    public async Task<bool> RemoveAsync(string name, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (_actors.All.FirstOrDefault(actor => actor.Name == name) is not { } hosted)
        {
            return false;
        }

        if (_registration is { } registration)
        {
            await registration.RemoveAsync(hosted, cancellationToken).ConfigureAwait(false);
        }

        return _actors.Remove(name) is not null;
    }

    /// <summary>Whether the current job runs inside this process, where nobody needs a socket to call it.</summary>
    private static bool IsLocal(FlusterContext? context) =>
        context?.Controller?.Address.StartsWith(LocalServers.Scheme, StringComparison.Ordinal) == true;

    /// <summary>Serves within this process.</summary>
    private void OpenLocal()
    {
        _local = LocalServers.Open(_actors);
        _address = _local.Address;
    }

    /// <summary>Makes the actors known, now that they can be called.</summary>
    private async Task BecomeKnownAsync(FlusterContext? context, CancellationToken cancellationToken)
    {
        if (context is null && _options.Registration is null)
        {
            return;
        }

        _registration = ActorRegistration.Of(context, _options.Registration, Advertised(context), CertificateHash, _options.LoggerFactory);
        if (_registration is { } registration)
        {
            await Task.WhenAll(_actors.All.Select(actor => registration.AddAsync(actor, cancellationToken))).ConfigureAwait(false);
        }
    }

    /// <summary>Nobody is to find the server any more.</summary>
    private Task BecomeUnknownAsync() => _registration?.EndAsync() ?? Task.CompletedTask;

    private void CloseLocal()
    {
        if (_local is { } local)
        {
            LocalServers.Close(local);
        }
    }

    private string Advertised(FlusterContext? context)
    {
        if (_local is not null)
        {
            return Address.ToString();
        }

        var host = _options.AdvertiseHost ?? (context is null ? null : FlusterEnvironment.Get(FlusterEnvironment.AdvertiseHost)) ?? Address.Host;
        return host is "0.0.0.0" or "[::]" or "*" or "+"
            ? throw new InvalidOperationException($"The actor server listens on every address of this machine ({Address}), and others have to be told one: set {nameof(ActorServerOptions)}.{nameof(ActorServerOptions.AdvertiseHost)}.")
            : new UriBuilder(Address) { Host = host }.Uri.GetLeftPart(UriPartial.Authority);
    }
}
