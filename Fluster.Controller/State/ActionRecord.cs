using System.Diagnostics;

namespace Fluster.Controller;

/// <summary>One line of the action log: what happened to a job, a worker, a machine or an endpoint.</summary>
/// <param name="Kind">One of <see cref="ActionKinds"/>.</param>
/// <param name="Time">Wall clock, milliseconds since 1970.</param>
internal sealed record ActionRecord(string Kind, long Time)
{
    /// <summary>Null with workers.</summary>
    public Namespace? Namespace { get; init; }

    public JobId? JobId { get; init; }

    public WorkerId? WorkerId { get; init; }

    public EndpointId? EndpointId { get; init; }

    public string Details { get; init; } = "";
}

/// <summary>What happens (seed 001 has the first three).</summary>
internal static class ActionKinds
{
    public const string EndpointRegistered = "endpoint_registered";
    public const string EndpointUnregistered = "endpoint_unregistered";
    public const string EndpointRemovedJobTerminated = "endpoint_removed_job_terminated";
    public const string EndpointRemovedRegistrationEnded = "endpoint_removed_registration_ended";
    public const string JobSubmitted = "job_submitted";
    public const string JobStopping = "job_stopping";
    public const string WorkerRegistered = "worker_registered";
    public const string WorkerRestarted = "worker_restarted";
    public const string WorkerDraining = "worker_draining";
    public const string WorkerQuarantined = "worker_quarantined";
    public const string VmGone = "vm_gone";

    /// <summary>A job came into a state.</summary>
    public static string Of(JobState state) => state switch
    {
        JobState.Pending => "job_pending",
        JobState.Building => "job_building",
        JobState.Running => "job_running",
        JobState.Succeeded => "job_succeeded",
        JobState.Failed => "job_failed",
        JobState.Killed => "job_killed",
        JobState.WorkerFailed => "job_worker_failed",
        JobState.Unschedulable => "job_unschedulable",
        _ => throw new UnreachableException($"{state} is not a state."),
    };

    /// <summary>A machine came into a state.</summary>
    public static string Of(VmState state) => "vm_" + state.ToString().ToLowerInvariant();

    /// <summary>A worker came into a state.</summary>
    public static string Of(WorkerState state) => "worker_" + state.ToString().ToLowerInvariant();
}
