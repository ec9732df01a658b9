namespace Fluster.Cluster;

/// <summary>Where a job, a task or an attempt is in its life. Numbers are those of the wire.</summary>
public enum JobState
{
    /// <summary>Accepted and on disk; no worker has it yet.</summary>
    Pending = 1,

    /// <summary>Placed on a worker, which fetches what it needs.</summary>
    Building = 2,

    /// <summary>Its code runs.</summary>
    Running = 3,

    /// <summary>Ended well. Final.</summary>
    Succeeded = 4,

    /// <summary>Ended badly, retries used up. Final.</summary>
    Failed = 5,

    /// <summary>Stopped by somebody. Final.</summary>
    Killed = 6,

    /// <summary>Lost with its workers more often than its budget allows. Final.</summary>
    WorkerFailed = 7,

    /// <summary>Found no place within its scheduling timeout. Final.</summary>
    Unschedulable = 8,
}

/// <summary>Questions about a <see cref="JobState"/>.</summary>
public static class JobStates
{
    extension(JobState state)
    {
        /// <summary>Whether the job can never change state again.</summary>
        public bool IsTerminal => state >= JobState.Succeeded;
    }
}
