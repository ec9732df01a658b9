using System.Runtime.ExceptionServices;

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

    /// <summary>The value, for a caller to whom one failure is the failure of all.</summary>
    /// <exception cref="Exception">What the call threw, as it was thrown.</exception>
    public TResult ValueOrThrow()
    {
        if (Exception is not null)
        {
            ExceptionDispatchInfo.Throw(Exception);
        }

        return Value!;
    }
}
