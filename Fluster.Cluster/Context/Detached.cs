namespace Fluster.Cluster;

/// <summary>Starts work that outlives whoever started it.</summary>
internal static class Detached
{
    /// <summary>
    /// Runs <paramref name="work"/> without the caller's <see cref="ExecutionContext"/>: a loop that serves
    /// many jobs must not believe, for ever, that it is part of the job that happened to start it.
    /// </summary>
    public static Task Run(Func<Task> work)
    {
        if (ExecutionContext.IsFlowSuppressed())
        {
            return Task.Run(work);
        }

        using (ExecutionContext.SuppressFlow())
        {
            return Task.Run(work);
        }
    }
}
