namespace Fluster.Cluster;

/// <summary>What goes with a lambda that is submitted: all of <see cref="JobRequest"/> but the entrypoint.</summary>
public sealed record JobOptions
{
    /// <inheritdoc cref="JobRequest.Name"/>
    /// <remarks>Default: made from the method's name.</remarks>
    public string? Name { get; init; }

    /// <inheritdoc cref="JobRequest.Resources"/>
    public ResourceSpec Resources { get; init; } = new();

    /// <inheritdoc cref="JobRequest.Environment"/>
    public JobEnvironment Environment { get; init; } = new();

    /// <inheritdoc cref="JobRequest.Ports"/>
    public IReadOnlyList<string> Ports { get; init; } = [];

    /// <inheritdoc cref="JobRequest.Replicas"/>
    public int Replicas { get; init; } = 1;

    /// <inheritdoc cref="JobRequest.MaxFailureRetries"/>
    public int MaxFailureRetries { get; init; }

    /// <inheritdoc cref="JobRequest.MaxPreemptionRetries"/>
    public int MaxPreemptionRetries { get; init; } = 100;

    /// <inheritdoc cref="JobRequest.SchedulingTimeout"/>
    public TimeSpan? SchedulingTimeout { get; init; }

    /// <inheritdoc cref="JobRequest.ExecutionTimeout"/>
    public TimeSpan? ExecutionTimeout { get; init; }

    /// <inheritdoc cref="JobRequest.Namespace"/>
    public Namespace? Namespace { get; init; }

    /// <inheritdoc cref="JobRequest.Priority"/>
    public JobPriority? Priority { get; init; }

    /// <inheritdoc cref="JobRequest.Coscheduled"/>
    public bool Coscheduled { get; init; }

    /// <inheritdoc cref="JobRequest.Exclusive"/>
    public bool Exclusive { get; init; }

    /// <inheritdoc cref="JobRequest.KeepChildren"/>
    public bool KeepChildren { get; init; }

    /// <summary>The request for a job that runs this method.</summary>
    internal JobRequest ToRequest(Delegate method) => new()
    {
        Name = Name ?? MethodDisplay.JobNameOf(method.Method),
        Entrypoint = JobEntrypoint.For(method),
        Resources = Resources,
        Environment = Environment,
        Ports = Ports,
        Replicas = Replicas,
        MaxFailureRetries = MaxFailureRetries,
        MaxPreemptionRetries = MaxPreemptionRetries,
        SchedulingTimeout = SchedulingTimeout,
        ExecutionTimeout = ExecutionTimeout,
        Namespace = Namespace,
        Priority = Priority,
        Coscheduled = Coscheduled,
        Exclusive = Exclusive,
        KeepChildren = KeepChildren,
    };
}
