using System.Reflection;
using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>One object that serves calls.</summary>
internal sealed class HostedActor : IDisposable
{
    public HostedActor(string name, object instance, ActorOptions? options, DateTimeOffset registeredAt)
    {
        options ??= new ActorOptions();
        options = options with { Reentrant = options.Reentrant || instance.GetType().GetCustomAttribute<ReentrantAttribute>() is not null };
        Name = name;
        Instance = instance;
        Dispatcher = ActorGenerated.DispatcherOf(instance.GetType());
        Metadata = options.Metadata;
        RegisteredAt = registeredAt;
        Mailbox = new ActorMailbox(Incarnation, options);
    }

    public string Name { get; }

    public object Instance { get; }

    public ActorDispatcher Dispatcher { get; }

    public ActorMailbox Mailbox { get; }

    /// <summary>Another one at every registration: a caller who resolved an earlier one is told so.</summary>
    public Guid Incarnation { get; } = Guid.NewGuid();

    /// <summary>The incarnation as text.</summary>
    public string Handle => Incarnation.ToString("N");

    /// <summary>For people.</summary>
    public string Id => $"{Name}-{Handle[..8]}";

    public DateTimeOffset RegisteredAt { get; }

    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The context of the job that serves; null outside of jobs.</summary>
    public FlusterContext? Context { get; set; }

    public void Dispose() => Mailbox.Dispose();
}
