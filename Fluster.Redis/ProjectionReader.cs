using System.Text.Json;
using Fluster.Cluster;
using StackExchange.Redis;

namespace Fluster.Redis;

/// <summary>Reads what the controller wrote into Redis.</summary>
internal sealed class ProjectionReader(IConnectionMultiplexer redis, ProjectionKeys keys)
{
    /// <summary>Names whose endpoints are asked for at once.</summary>
    private const int BatchSize = 500;

    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(5);

    /// <summary>Which commit Redis shows, and when that was last known to be the newest one; null when it shows none.</summary>
    public async Task<ProjectionStamp?> ReadStampAsync(CancellationToken cancellationToken)
    {
        var there = await redis.GetDatabase().HashGetAsync(keys.Version, ["epoch", "version", "at"]).WaitAsync(s_timeout, TimeProvider.System, cancellationToken).ConfigureAwait(false);
        return there[0].IsNull || there[1].IsNull
            ? null
            : new ProjectionStamp((long)there[0], (long)there[1], DateTimeOffset.FromUnixTimeMilliseconds((long?)there[2] ?? 0));
    }

    /// <summary>Every name that has endpoints, as <see cref="ProjectionKeys.Member"/> writes it.</summary>
    public async Task<IReadOnlyList<string>> ReadMembersAsync(CancellationToken cancellationToken)
    {
        var members = await redis.GetDatabase().SortedSetRangeByRankAsync(keys.Names).WaitAsync(s_timeout, TimeProvider.System, cancellationToken).ConfigureAwait(false);
        return [.. members.Select(member => (string)member!)];
    }

    /// <summary>The endpoints of each of these names, in the same order.</summary>
    public async Task<IReadOnlyList<IReadOnlyList<RegisteredEndpoint>>> ReadAsync(IReadOnlyList<string> members, CancellationToken cancellationToken)
    {
        var found = new List<IReadOnlyList<RegisteredEndpoint>>(members.Count);
        foreach (var batch in members.Chunk(BatchSize))
        {
            var hashes = await Task.WhenAll(batch.Select(member =>
                ProjectionKeys.TryParseMember(member) is { } name ? redis.GetDatabase().HashValuesAsync(keys.Endpoints(name)) : Task.FromResult<RedisValue[]>([])))
                .WaitAsync(s_timeout, TimeProvider.System, cancellationToken).ConfigureAwait(false);
            found.AddRange(hashes.Select(values => values.Select(TryRead).OfType<RegisteredEndpoint>().OrderBy(endpoint => endpoint.Id.ToString(), StringComparer.Ordinal).ToArray()));
        }

        return found;
    }

    // What somebody else wrote there is left out.
    private static RegisteredEndpoint? TryRead(RedisValue value)
    {
        try
        {
            return JsonSerializer.Deserialize((byte[])value!, ProjectionJson.Default.ProjectedEndpoint)?.ToDomain();
        }
        catch (Exception exception) when (exception is JsonException or FormatException)
        {
            return null;
        }
    }
}

/// <param name="Epoch">Which start of the controller wrote.</param>
/// <param name="Version">The commit that is shown.</param>
/// <param name="At">When it was last known to be the newest one.</param>
internal readonly record struct ProjectionStamp(long Epoch, long Version, DateTimeOffset At);
