using System.Collections.Concurrent;

namespace Fluster.Actors;

/// <summary>The actors of one server, by name.</summary>
internal sealed class ActorTable : IDisposable
{
    private readonly ConcurrentDictionary<string, HostedActor> _actors = new(StringComparer.Ordinal);

    /// <exception cref="ArgumentException">There is one of that name already.</exception>
    public void Add(string name, object actor)
    {
        var hosted = new HostedActor(name, actor);
        if (!_actors.TryAdd(name, hosted))
        {
            hosted.Dispose();
            throw new ArgumentException($"This server has an actor named '{name}' already.", nameof(name));
        }
    }

    /// <summary>The actor of that name; for an empty name the only one. Null, and why, when there is none.</summary>
    public HostedActor? Find(string name, out string problem)
    {
        problem = "";
        if (name.Length > 0)
        {
            if (_actors.TryGetValue(name, out var actor))
            {
                return actor;
            }

            problem = $"Actor '{name}' not found. {Known()}";
            return null;
        }

        var all = _actors.Values.ToList();
        if (all.Count == 1)
        {
            return all[0];
        }

        problem = all.Count == 0 ? Known() : $"The call names no actor, and this server has {all.Count}. {Known()}";
        return null;
    }

    public void Dispose()
    {
        foreach (var actor in _actors.Values)
        {
            actor.Dispose();
        }
    }

    private string Known() => _actors.IsEmpty
        ? "This server has no actors."
        : $"This server has: {string.Join(", ", _actors.Keys.Order(StringComparer.Ordinal))}.";
}
