using System.Reflection;
using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>One object that serves calls.</summary>
internal sealed class HostedActor : IDisposable
{
    // What flows when nothing does.
    private static readonly ExecutionContext s_nothing = CaptureNothing();

    private readonly string?[] _displays;

    public HostedActor(string name, object instance, ActorOptions? options, DateTimeOffset registeredAt)
    {
        options ??= new ActorOptions();
        options = options with { Reentrant = options.Reentrant || instance.GetType().GetCustomAttribute<ReentrantAttribute>() is not null };
        Name = name;
        Instance = instance;
        Dispatcher = ActorGenerated.DispatcherOf(instance.GetType());
        _displays = new string?[Dispatcher.Methods.Count];
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

    /// <summary>
    /// What methods run in, before anything of a call is added: the context of the job that serves, if one does, and nothing of whoever calls. Made
    /// once, because entering the context anew costs two objects.
    /// </summary>
    public ExecutionContext Surroundings { get; private set; } = s_nothing;

    /// <summary>Actor and method, for people; made once, as every call has it in its chain.</summary>
    public string DisplayOf(int method) => _displays[method] ??= $"{Name}.{Dispatcher.Methods[method].Name}";

    /// <summary>The job in whose context methods run from now on; null outside of jobs.</summary>
    public void Enter(FlusterContext? context) => ExecutionContext.Run(
        s_nothing,
        _ =>
        {
            context?.Enter();
            Surroundings = ExecutionContext.Capture()!;
        },
        state: null);

    public void Dispose() => Mailbox.Dispose();

    private static ExecutionContext CaptureNothing()
    {
        ExecutionContext? nothing = null;
        var thread = new Thread(() => nothing = ExecutionContext.Capture());
        thread.UnsafeStart();
        thread.Join();
        return nothing!;
    }
}
