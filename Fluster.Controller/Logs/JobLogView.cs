namespace Fluster.Controller;

/// <summary>What a reader of a job's log needs to know of the job.</summary>
/// <param name="Ended">The job will have no further attempts.</param>
/// <param name="Attempts">All its attempts (or those of the wanted task), by task and then by fence.</param>
internal sealed record JobLogView(bool Ended, IReadOnlyList<AttemptLogView> Attempts);

/// <summary>What a reader needs to know of one attempt.</summary>
/// <param name="TaskIndex">Its task.</param>
/// <param name="Fence">Its number.</param>
/// <param name="Totals">What it wrote in all; null until it has ended.</param>
internal sealed record AttemptLogView(int TaskIndex, Fence Fence, LogTotalsRecord? Totals);
