namespace Fluster.Worker;

/// <summary>What the supervisor wants done. Complete enough to need no decision by whoever does it.</summary>
internal abstract record WorkerOutput
{
    private WorkerOutput() { } // Closed: every case is listed here.

    /// <summary>Put on the disk that the attempt is being started; then <see cref="WorkerEvent.StartRecorded"/>.</summary>
    public sealed record RecordStart(Fence Fence, V1.AttemptSpec Spec) : WorkerOutput;

    /// <summary>Start it; then <see cref="WorkerEvent.Running"/> perhaps, and <see cref="WorkerEvent.Ended"/> certainly.</summary>
    public sealed record Start(Fence Fence, V1.AttemptSpec Spec) : WorkerOutput;

    /// <summary>SIGTERM to the whole tree; give up preparing.</summary>
    public sealed record Terminate(Fence Fence) : WorkerOutput
    {
        /// <summary>It is preempted, and is killed after this time; null: it is ended for another reason.</summary>
        public TimeSpan? PreemptedIn { get; init; }
    }

    /// <summary>SIGKILL until nothing is left.</summary>
    public sealed record Kill(Fence Fence) : WorkerOutput;

    /// <summary>Put the outcome on the disk; then <see cref="WorkerEvent.OutcomeStored"/>.</summary>
    public sealed record StoreOutcome(Fence Fence, V1.AttemptOutcome Outcome) : WorkerOutput;

    /// <summary>Give the cluster a result that is too large for the link; then <see cref="WorkerEvent.ResultUploaded"/>.</summary>
    public sealed record UploadResult(Fence Fence, V1.Payload Result) : WorkerOutput;

    /// <summary>The controller has the outcome: nothing of the attempt is needed any more but its logs until they are acknowledged.</summary>
    public sealed record Forget(Fence Fence) : WorkerOutput;

    /// <summary>Send this frame.</summary>
    public sealed record Send(V1.Observed Frame) : WorkerOutput;

    /// <summary>Put on the disk to which cluster the worker belongs.</summary>
    public sealed record RememberCluster(ClusterIdentity Cluster) : WorkerOutput;

    /// <summary>Nothing is left, and the controller wants this worker to end: end as soon as the logs are delivered.</summary>
    public sealed record Leave : WorkerOutput;

    /// <summary>This is not the worker's controller: end the link, change nothing, try again later.</summary>
    public sealed record RefuseLink(string Reason) : WorkerOutput;
}
