namespace Fluster.Actors;

/// <summary>Marks a class or an interface of actors, so that its client and its dispatcher are made when the program is built.</summary>
/// <param name="name">The name under which it is served where no other is given.</param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Interface, Inherited = false)]
public sealed class ActorAttribute(string name = "") : Attribute
{
    /// <summary>The name under which it is served where no other is given. Default: empty, none.</summary>
    public string Name { get; } = name;
}

/// <summary>
/// Running the method twice does no harm: a call of which it is not known whether it ran is made again, instead of
/// <see cref="OutcomeUnknownException"/>. On a method of the interface that clients use, or on all of them.
/// </summary>
[AttributeUsage(AttributeTargets.Method | AttributeTargets.Interface)]
public sealed class IdempotentAttribute : Attribute;

/// <summary>A call may enter the actor while the call that it was made from holds it (<see cref="ActorOptions.Reentrant"/>).</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class ReentrantAttribute : Attribute;
