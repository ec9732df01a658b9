namespace Fluster.Actors;

/// <summary>
/// A worker pool could not have an item run: the pool was shut down, all its workers are dead, or workers died whenever they ran the item. What
/// the item's own code throws is thrown as it is.
/// </summary>
public sealed class WorkerPoolException(string message, Exception? innerException = null) : Exception(message, innerException);
