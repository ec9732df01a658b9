namespace Fluster.Controller;

/// <summary>A job that was terminated before it was created: until its time has passed, the late create is refused.</summary>
internal sealed record TombstoneRecord
{
    public required long Uid { get; init; }

    public required JobId Id { get; init; }

    /// <summary>Only a create in this namespace is refused; null: in any (an administrator asked).</summary>
    public Namespace? Namespace { get; init; }

    /// <summary>Cluster time at which it is forgotten.</summary>
    public required long Until { get; init; }
}
