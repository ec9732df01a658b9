namespace Fluster.Cluster;

/// <summary>What to run, with what, and what to do when it fails.</summary>
public sealed record JobRequest
{
    /// <summary>The job's name: <c>[a-z0-9][a-z0-9._-]{0,62}</c>. Becomes part of its id.</summary>
    public required string Name { get; init; }

    /// <summary>What runs.</summary>
    public required JobEntrypoint Entrypoint { get; init; }

    /// <summary>What each task needs. Default: 0.1 cores and 256 MiB.</summary>
    public ResourceSpec Resources { get; init; } = new();

    /// <summary>Variables, working files, image and set-up commands.</summary>
    public JobEnvironment Environment { get; init; } = new();

    /// <summary>Names of the ports that each task gets, read back by <c>FlusterContext.GetPort</c>. Default: none.</summary>
    public IReadOnlyList<string> Ports { get; init; } = [];

    /// <summary>The number of tasks. Default: 1.</summary>
    public int Replicas { get; init; } = 1;

    /// <summary>How often a task is tried again after it failed. Default: 0 (one attempt).</summary>
    public int MaxFailureRetries { get; init; }

    /// <summary>How often a task is tried again after a preemption or the loss of its worker. Default: 100.</summary>
    public int MaxPreemptionRetries { get; init; } = 100;

    /// <summary>The longest time without a place; then the job is Unschedulable. Default: none.</summary>
    public TimeSpan? SchedulingTimeout { get; init; }

    /// <summary>The longest time that one attempt may run; then it is killed with its whole tree. Default: none.</summary>
    public TimeSpan? ExecutionTimeout { get; init; }

    /// <summary>Another namespace than the submitter's. Needs the role admin when it is not one's own. Default: null.</summary>
    public Namespace? Namespace { get; init; }

    /// <summary>Which jobs go first. Default: the parent's, else <see cref="JobPriority.Interactive"/>.</summary>
    public JobPriority? Priority { get; init; }

    /// <summary>All tasks start together or none does. Default: false.</summary>
    public bool Coscheduled { get; init; }

    /// <summary>
    /// Never runs twice at the same time, not even while its worker cannot be reached: the worker ends it itself 30 s after it last
    /// heard the controller, and only then is it tried again. Default: false.
    /// </summary>
    public bool Exclusive { get; init; }

    /// <summary>Children go on after this job has succeeded. Default: false.</summary>
    public bool KeepChildren { get; init; }
}

/// <summary>Which jobs go first. Numbers are those of the wire.</summary>
public enum JobPriority
{
    /// <summary>When nothing else wants the room.</summary>
    Batch = 1,

    /// <summary>Somebody waits for it.</summary>
    Interactive = 2,

    /// <summary>Before everything else.</summary>
    Production = 3,
}

/// <summary>What surrounds the program of a job.</summary>
public sealed record JobEnvironment
{
    /// <summary>Environment variables. What Fluster sets (<c>FLUSTER_*</c>) wins. Write-only: no API returns them.</summary>
    public IReadOnlyDictionary<string, string> Variables { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>A local directory whose content becomes the working directory. Default: an empty one.</summary>
    public string? WorkingFiles { get; init; }

    /// <summary>A container image to run in. Default: none, a process.</summary>
    public string? Image { get; init; }

    /// <summary>Commands run by <c>/bin/sh -c</c> in the working directory before the entrypoint. Default: none.</summary>
    public IReadOnlyList<string> SetupCommands { get; init; } = [];

    /// <summary>
    /// Whether the job may ask the metadata server of a cloud's machine, which gives whoever asks the rights of the machine's service account. Default: it may not.
    /// Without meaning where there is no such server.
    /// </summary>
    public bool MetadataServer { get; init; }
}
