using System.Runtime.CompilerServices;
using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>Endpoints that are known beforehand and stay. Source: seed 001, stage 2.</summary>
public sealed class FixedResolver : IActorResolver
{
    private readonly Dictionary<string, IReadOnlyList<ResolvedEndpoint>> _endpoints;
    private readonly Namespace? _namespace;
    private readonly TimeProvider _time;

    /// <summary>A resolver of these names.</summary>
    /// <param name="addresses">For each actor's name the addresses where it is served.</param>
    /// <param name="token">The token that calls carry. Default: that of the current job.</param>
    /// <param name="namespace">The only namespace where the names count. Default: null, they count in all.</param>
    /// <param name="time">The clock of <see cref="ResolveResult.AsOf"/>. Default: the system's.</param>
    public FixedResolver(IReadOnlyDictionary<string, IReadOnlyList<string>> addresses, string? token = null, Namespace? @namespace = null, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(addresses);
        _endpoints = addresses.ToDictionary(
            pair => pair.Key,
            pair => (IReadOnlyList<ResolvedEndpoint>)[.. pair.Value.Select((address, index) => new ResolvedEndpoint($"fixed-{pair.Key}-{index}", address))],
            StringComparer.Ordinal);
        Token = token;
        _namespace = @namespace;
        _time = time ?? TimeProvider.System;
    }

    /// <summary>A resolver of one name with one address.</summary>
    public FixedResolver(string name, string address, string? token = null)
        : this(new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal) { [name] = [address] }, token)
    {
    }

    /// <inheritdoc/>
    public string? Token { get; }

    /// <inheritdoc/>
    public Namespace DefaultNamespace => _namespace ?? FlusterContext.CurrentOrNull?.Namespace ?? Namespace.Default;

    /// <inheritdoc/>
    public Task<ResolveResult> ResolveAsync(string name, Namespace? @namespace = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        cancellationToken.ThrowIfCancellationRequested();
        var asked = @namespace ?? DefaultNamespace;
        var known = _namespace is not { } only || only == asked ? _endpoints.GetValueOrDefault(name) : null;
        return Task.FromResult(new ResolveResult(name, asked, known ?? [], _time.GetUtcNow()));
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ResolveResult> WatchAsync(string name, Namespace? @namespace = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        yield return await ResolveAsync(name, @namespace, cancellationToken).ConfigureAwait(false);
        await Task.Delay(Timeout.InfiniteTimeSpan, _time, cancellationToken).ConfigureAwait(false);
    }
}
