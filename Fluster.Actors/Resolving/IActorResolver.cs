using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>Finds the endpoints behind an actor's name.</summary>
public interface IActorResolver
{
    /// <summary>The token that calls of these endpoints carry. Default: null, that of the current job.</summary>
    string? Token => null;

    /// <summary>The namespace in which names count when none is given. Default: that of the current context, else <see cref="Namespace.Default"/>. Source: seeds 000 and 001.</summary>
    Namespace DefaultNamespace => FlusterContext.CurrentOrNull?.Namespace ?? Namespace.Default;

    /// <summary>The endpoints of exactly this name as they are now; empty when there is none.</summary>
    /// <param name="name">The actor's name.</param>
    /// <param name="namespace">Where the name counts. Default: <see cref="DefaultNamespace"/>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    Task<ResolveResult> ResolveAsync(string name, Namespace? @namespace = null, CancellationToken cancellationToken = default);

    /// <summary>The endpoints of exactly this name, and again whenever they have changed, for as long as it is read.</summary>
    /// <param name="name">The actor's name.</param>
    /// <param name="namespace">Where the name counts.</param>
    /// <param name="cancellationToken">Ends the watch.</param>
    IAsyncEnumerable<ResolveResult> WatchAsync(string name, Namespace? @namespace = null, CancellationToken cancellationToken = default);
}
