namespace Fluster.Worker;

/// <summary>A way to run attempts: as processes, or in containers.</summary>
internal interface IJobRuntime
{
    /// <summary>Starts an attempt. Returns at once; what happens to it is reported, last of all <see cref="WorkerEvent.Ended"/>, exactly once.</summary>
    IRunningAttempt Start(Fence fence, V1.AttemptSpec spec, Action<WorkerEvent> report);
}

/// <summary>An attempt that a runtime has. Its members return at once and may be called at any time and again.</summary>
internal interface IRunningAttempt
{
    /// <summary>Tells it that it is preempted and when it will be killed, before it is asked to end.</summary>
    void Notify(PreemptionNotice notice);

    /// <summary>Asks the whole tree to end, and gives up what is still being prepared.</summary>
    void Terminate();

    /// <summary>Ends the whole tree.</summary>
    void Kill();
}
