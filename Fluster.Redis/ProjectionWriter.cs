using System.Text.Json;
using StackExchange.Redis;

namespace Fluster.Redis;

/// <summary>Writes endpoints into Redis, each batch by one script: all of it is there, or none.</summary>
internal sealed class ProjectionWriter(IConnectionMultiplexer redis, ProjectionKeys keys, long epoch)
{
    /// <summary>Names in one script: short enough that Redis, which runs one script at a time, answers others in between.</summary>
    public const int BatchSize = 200;

    /// <summary>
    /// KEYS: version, names, then the hash of each name. ARGV: epoch, version, the version that Redis must show ("" for any), whether this is the
    /// last batch, the channel, the message, the time, then per name its member, the number of its endpoints, and id and JSON of each. What is being
    /// written is noted at once (writer, writing), so that a script that was given up and arrives late is refused; what is shown (epoch, version)
    /// changes with the last batch. Answers "ok", or why nothing was changed.
    /// </summary>
    private const string Script = """
        local epoch, version = tonumber(ARGV[1]), tonumber(ARGV[2])
        local there = redis.call('HMGET', KEYS[1], 'writer', 'writing', 'epoch', 'version')
        local writer = tonumber(there[1] or '0')
        if writer > epoch then return 'later epoch' end
        if writer == epoch and tonumber(there[2] or '0') > version then return 'later version' end
        if ARGV[3] ~= '' and (there[3] ~= ARGV[1] or there[4] ~= ARGV[3]) then return 'not as expected' end
        redis.call('HMSET', KEYS[1], 'writer', ARGV[1], 'writing', ARGV[2])
        local at = 8
        for i = 3, #KEYS do
          local member, count = ARGV[at], tonumber(ARGV[at + 1])
          at = at + 2
          redis.call('DEL', KEYS[i])
          if count == 0 then
            redis.call('ZREM', KEYS[2], member)
          else
            redis.call('ZADD', KEYS[2], 0, member)
            for _ = 1, count do
              redis.call('HSET', KEYS[i], ARGV[at], ARGV[at + 1])
              at = at + 2
            end
          end
        end
        if ARGV[4] == '1' then
          redis.call('HMSET', KEYS[1], 'epoch', ARGV[1], 'version', ARGV[2], 'at', ARGV[7])
          redis.call('PUBLISH', ARGV[5], ARGV[6])
        end
        return 'ok'
        """;

    /// <summary>KEYS: version. ARGV: epoch, version, time.</summary>
    private const string CheckScript = """
        local there = redis.call('HMGET', KEYS[1], 'epoch', 'version')
        if there[1] == ARGV[1] and there[2] == ARGV[2] then redis.call('HSET', KEYS[1], 'at', ARGV[3]) end
        return there
        """;

    /// <summary>An operation that takes longer has failed, whatever becomes of it: the version in the script keeps it from harm.</summary>
    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(5);

    /// <summary>Which commit of which controller start Redis shows; zeros when it shows none. When it is the one expected, notes that it was the newest at a time.</summary>
    public async Task<(long Epoch, long Version)> CheckAsync(long expected, DateTimeOffset at, CancellationToken cancellationToken)
    {
        var answer = await Within(
            redis.GetDatabase().ScriptEvaluateAsync(CheckScript, [keys.Version], [epoch, expected, at.ToUnixTimeMilliseconds()], CommandFlags.NoScriptCache), cancellationToken).ConfigureAwait(false);
        var there = (RedisValue[])answer!;
        return ((long?)there[0] ?? 0, (long?)there[1] ?? 0);
    }

    /// <summary>Every name that Redis has endpoints for.</summary>
    public async Task<IReadOnlyList<EndpointName>> ReadNamesAsync(CancellationToken cancellationToken)
    {
        var members = await Within(redis.GetDatabase().SortedSetRangeByRankAsync(keys.Names), cancellationToken).ConfigureAwait(false);
        return [.. members.Select(member => ProjectionKeys.TryParseMember(member!)).OfType<EndpointName>()];
    }

    /// <summary>Makes Redis show these names as the view has them, and then its version. Readers are told once, at the end.</summary>
    /// <param name="view">What to show.</param>
    /// <param name="names">The names that may have changed.</param>
    /// <param name="expected">The version, of this epoch, that Redis must show for these names to be enough; null: any, and readers are to read everything again.</param>
    /// <param name="at">When the view was the newest one.</param>
    /// <param name="cancellationToken">Stops between two scripts.</param>
    public async Task<ProjectionAnswer> WriteAsync(IEndpointView view, IReadOnlyList<EndpointName> names, long? expected, DateTimeOffset at, CancellationToken cancellationToken)
    {
        var change = new ProjectionChange(epoch, view.Version, expected is null ? null : [.. names.Select(ProjectionKeys.Member)]) { From = expected, At = at };
        var message = JsonSerializer.SerializeToUtf8Bytes(change, ProjectionJson.Default.ProjectionChange);
        for (var start = 0; start == 0 || start < names.Count; start += BatchSize)
        {
            var batch = names.Skip(start).Take(BatchSize).ToList();
            var isLast = start + BatchSize >= names.Count;
            var answer = await RunAsync(view, batch, expected, isLast, message, at, cancellationToken).ConfigureAwait(false);
            if (answer != ProjectionAnswer.Written)
            {
                return answer;
            }
        }

        return ProjectionAnswer.Written;
    }

    private async Task<ProjectionAnswer> RunAsync(
        IEndpointView view, IReadOnlyList<EndpointName> batch, long? expected, bool isLast, byte[] message, DateTimeOffset at, CancellationToken cancellationToken)
    {
        List<RedisKey> scriptKeys = [keys.Version, keys.Names];
        List<RedisValue> arguments = [epoch, view.Version, expected?.ToString() ?? "", isLast ? 1 : 0, (string)keys.Changes!, message, at.ToUnixTimeMilliseconds()];
        foreach (var name in batch)
        {
            var endpoints = view.Named(name);
            scriptKeys.Add(keys.Endpoints(name));
            arguments.Add(ProjectionKeys.Member(name));
            arguments.Add(endpoints.Count);
            foreach (var endpoint in endpoints)
            {
                arguments.Add(endpoint.Id.ToString());
                arguments.Add(JsonSerializer.SerializeToUtf8Bytes(ProjectedEndpoint.From(endpoint), ProjectionJson.Default.ProjectedEndpoint));
            }
        }

        // The script is sent whole each time: a server that was restarted has forgotten it.
        var answer = await Within(
            redis.GetDatabase().ScriptEvaluateAsync(Script, [.. scriptKeys], [.. arguments], CommandFlags.NoScriptCache), cancellationToken).ConfigureAwait(false);
        return (string?)answer switch
        {
            "ok" => ProjectionAnswer.Written,
            "later epoch" => ProjectionAnswer.LaterEpoch,
            "later version" => ProjectionAnswer.LaterVersion,
            _ => ProjectionAnswer.NotAsExpected,
        };
    }

    private static Task<T> Within<T>(Task<T> operation, CancellationToken cancellationToken) => operation.WaitAsync(s_timeout, TimeProvider.System, cancellationToken);
}

/// <summary>What Redis said to a write.</summary>
internal enum ProjectionAnswer
{
    /// <summary>It shows what was to be shown.</summary>
    Written,

    /// <summary>A later start of the controller has written: this one is not the cluster's controller any more.</summary>
    LaterEpoch,

    /// <summary>It shows a later commit of this start; what was to be shown is old.</summary>
    LaterVersion,

    /// <summary>It does not show what was written last: it was wiped or restored.</summary>
    NotAsExpected,
}
