using System.ComponentModel;

namespace Fluster.Actors;

/// <summary>One method of an actor as both sides see it. For generated code.</summary>
/// <param name="name">The method's name.</param>
/// <param name="parameters">The names of what a caller sends, in order: all parameters but cancellation tokens.</param>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class ActorMethodShape(string name, params string[] parameters)
{
    /// <summary>The method's name.</summary>
    public string Name { get; } = name;

    /// <summary>The names of what a caller sends, in order.</summary>
    public IReadOnlyList<string> Parameters { get; } = parameters;

    /// <summary>How many of them must be sent; those after it have default values. Default: all.</summary>
    public int Required { get; init; } = parameters.Length;

    /// <summary>Whether running it twice does no harm (<see cref="IdempotentAttribute"/>).</summary>
    public bool IsIdempotent { get; init; }

    /// <summary>Whether it returns a stream of items.</summary>
    public bool IsStream { get; init; }

    /// <summary>As a person would write it, without the name: <c>(int a, int b) -> int</c>.</summary>
    public string Signature { get; init; } = $"({string.Join(", ", parameters)})";

    /// <summary>What the method's documentation says; empty when there is none.</summary>
    public string Documentation
    {
        get => field ?? LateDocumentation?.Value ?? "";
        init;
    }

    /// <summary>The same where it has to be looked up, which is done when somebody asks.</summary>
    internal Lazy<string>? LateDocumentation { get; init; }

    /// <summary>The number that this process gives to the shape; small, so that it can stand for it in tables.</summary>
    internal int Number { get; } = Interlocked.Increment(ref s_numbers);

    private static int s_numbers;

    /// <inheritdoc/>
    public override string ToString() => Name + Signature;
}
