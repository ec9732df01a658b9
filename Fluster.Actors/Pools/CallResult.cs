namespace Fluster.Actors;

/// <summary>What became of a call of one member of a pool.</summary>
/// <typeparam name="TResult">What the method returns.</typeparam>
/// <param name="Endpoint">The member.</param>
/// <param name="Value">What it returned; the type's default when it did not.</param>
/// <param name="Exception">Why it did not; null when it did.</param>
public sealed record CallResult<TResult>(ResolvedEndpoint Endpoint, TResult? Value, Exception? Exception)
{
    /// <summary>Whether there is a value.</summary>
    public bool Success => Exception is null;
}
