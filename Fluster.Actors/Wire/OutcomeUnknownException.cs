namespace Fluster.Actors;

/// <summary>
/// A call was sent, and whether its method ran cannot be known any more: the actor's server was replaced, or was away for too long. It ran
/// once or not at all. Methods marked <see cref="IdempotentAttribute"/> are called again instead.
/// </summary>
public sealed class OutcomeUnknownException(string message, Exception? innerException = null) : Exception(message, innerException);
