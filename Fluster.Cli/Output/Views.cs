using System.Text.Json.Serialization;
using Fluster.Cluster;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Cli;

// What --output json writes. Names and meanings stay; more may come.

internal sealed record SubmittedView(string Id);

internal sealed record StoppedWithinView(string Within, int Stopped);

internal sealed record JobView
{
    public required string Id { get; init; }

    public required string Name { get; init; }

    public required string Namespace { get; init; }

    public required string State { get; init; }

    public bool Stopping { get; init; }

    public string? PendingReason { get; init; }

    public FailureView? Failure { get; init; }

    public int? ExitCode { get; init; }

    public int Replicas { get; init; }

    public required string Entrypoint { get; init; }

    public double Cpu { get; init; }

    public long MemoryBytes { get; init; }

    public DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? StartedAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    public IReadOnlyList<TaskView>? Tasks { get; init; }

    public static JobView From(JobStatus job) => new()
    {
        Id = job.Id.ToString(),
        Name = job.Name,
        Namespace = job.Namespace.ToString(),
        State = job.State.ToString(),
        Stopping = job.Stopping,
        PendingReason = job.State == JobState.Pending ? job.PendingReason : null,
        Failure = FailureView.From(job.Failure),
        ExitCode = job.ExitCode,
        Replicas = job.Replicas,
        Entrypoint = job.Entrypoint,
        Cpu = job.Resources.Cpu,
        MemoryBytes = job.Resources.Memory.Bytes,
        CreatedAt = job.CreatedAt,
        StartedAt = job.StartedAt,
        EndedAt = job.EndedAt,
        Tasks = job.Tasks.Count == 0 ? null : [.. job.Tasks.Select(TaskView.From)],
    };
}

internal sealed record TaskView(int Index, string State, IReadOnlyList<AttemptView> Attempts)
{
    public static TaskView From(JobTaskStatus task) => new(task.Index, task.State.ToString(), [.. task.Attempts.Select(AttemptView.From)]);
}

internal sealed record AttemptView
{
    /// <summary>In digits, as text: it has 64 bits.</summary>
    public required string Fence { get; init; }

    public required string Worker { get; init; }

    public required string State { get; init; }

    public DateTimeOffset? StartedAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    public IReadOnlyDictionary<string, int>? Ports { get; init; }

    public FailureView? Failure { get; init; }

    public static AttemptView From(JobAttemptStatus attempt) => new()
    {
        Fence = attempt.Fence.ToString(),
        Worker = attempt.Worker.ToString(),
        State = attempt.State.ToString(),
        StartedAt = attempt.StartedAt,
        EndedAt = attempt.EndedAt,
        Ports = attempt.Ports.Count == 0 ? null : attempt.Ports,
        Failure = FailureView.From(attempt.Failure),
    };
}

internal sealed record FailureView(string Kind, string Message, int? ExitCode, int? Signal, string? KilledBy, IReadOnlyList<string> LastLines, RemoteExceptionInfo? Exception)
{
    public static FailureView? From(JobFailure? failure) => failure is null
        ? null
        : new(failure.Kind.ToString(), failure.Message, failure.ExitCode, failure.Signal, failure.KilledBy?.ToString(), failure.LastLines, failure.Exception);
}

internal sealed record WorkerView
{
    public required string Id { get; init; }

    public required string State { get; init; }

    public int RunningAttempts { get; init; }

    public int MaxConcurrentJobs { get; init; }

    public double Cpu { get; init; }

    public double CpuUsed { get; init; }

    public long Memory { get; init; }

    public long MemoryUsed { get; init; }

    public required string Isolation { get; init; }

    public required string Host { get; init; }

    public DateTimeOffset? LastHeardAt { get; init; }

    public required IReadOnlyList<string> Problems { get; init; }

    public static WorkerView From(V1.WorkerInfo worker) => new()
    {
        Id = worker.WorkerId,
        State = worker.State,
        RunningAttempts = worker.RunningAttempts,
        MaxConcurrentJobs = worker.Capabilities?.MaxConcurrentJobs ?? 0,
        Cpu = (worker.Capabilities?.Capacity?.CpuMillis ?? 0) / 1000.0,
        CpuUsed = (worker.Used?.CpuMillis ?? 0) / 1000.0,
        Memory = worker.Capabilities?.Capacity?.MemoryBytes ?? 0,
        MemoryUsed = worker.Used?.MemoryBytes ?? 0,
        Isolation = worker.Capabilities?.Isolation ?? "",
        Host = worker.Capabilities?.Host ?? "",
        LastHeardAt = worker.LastHeardAt?.ToDateTimeOffset(),
        Problems = worker.Health?.Problems ?? (IReadOnlyList<string>)[],
    };
}

internal sealed record ClusterUpView(string Address, string HttpAddress, string Context, string ContextFile, string? DataDirectory)
{
    /// <summary>Where its machines come from, one for each backend; none: its worker is in its process.</summary>
    public IReadOnlyList<string>? Machines { get; init; }

    /// <summary>Where the emulated cloud is asked.</summary>
    public Uri? Emulator { get; init; }
}

/// <summary>A cluster as a program reads it.</summary>
internal sealed record ClusterView
{
    public required string ClusterId { get; init; }

    public required string Address { get; init; }

    public required string HttpAddress { get; init; }

    public required string Version { get; init; }

    public TimeSpan Uptime { get; init; }

    public long Epoch { get; init; }

    public required string Registry { get; init; }

    public int Workers { get; init; }

    /// <summary>Most of them fell silent at once: none is given up for now.</summary>
    public bool MassSilence { get; init; }

    public required IReadOnlyDictionary<string, long> JobsByState { get; init; }

    public static ClusterView From(string address, V1.GetClusterStatusResponse status) => new()
    {
        ClusterId = status.ClusterId,
        Address = address,
        HttpAddress = status.HttpAddress,
        Version = status.Version,
        Uptime = status.Uptime?.ToTimeSpan() ?? default,
        Epoch = status.Epoch,
        Registry = status.Registry,
        Workers = status.Workers,
        MassSilence = status.MassSilence,
        JobsByState = new SortedDictionary<string, long>(status.JobsByState, StringComparer.Ordinal),
    };
}

internal sealed record EndpointView
{
    public required string Id { get; init; }

    public required string Namespace { get; init; }

    public required string Name { get; init; }

    public required string Address { get; init; }

    public string? OwnerJob { get; init; }

    public string? OwnerRegistration { get; init; }

    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    public DateTimeOffset RegisteredAt { get; init; }

    public static EndpointView From(RegisteredEndpoint endpoint) => new()
    {
        Id = endpoint.Id.ToString(),
        Namespace = endpoint.Namespace.ToString(),
        Name = endpoint.Name,
        Address = endpoint.Address,
        OwnerJob = endpoint.OwnerJob?.ToString(),
        OwnerRegistration = endpoint.OwnerRegistration?.ToString(),
        Metadata = endpoint.Metadata.Count == 0 ? null : endpoint.Metadata,
        RegisteredAt = endpoint.RegisteredAt,
    };
}

/// <summary>A method in <c>fluster actor list NAME</c>.</summary>
internal sealed record MethodView(string Signature, string? Documentation);

/// <summary>A line of <c>fluster endpoints --watch</c>; the change is "registered" or "removed".</summary>
internal sealed record EndpointChangeView(string Change, EndpointView Endpoint);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, WriteIndented = true)]
[JsonSerializable(typeof(SubmittedView))]
[JsonSerializable(typeof(IReadOnlyList<StoppedWithinView>))]
[JsonSerializable(typeof(JobView))]
[JsonSerializable(typeof(ExplanationView))]
[JsonSerializable(typeof(TraceView))]
[JsonSerializable(typeof(IReadOnlyList<JobView>))]
[JsonSerializable(typeof(IReadOnlyList<WorkerView>))]
[JsonSerializable(typeof(VmListView))]
[JsonSerializable(typeof(IReadOnlyList<EndpointView>))]
[JsonSerializable(typeof(IReadOnlyList<MethodView>))]
[JsonSerializable(typeof(ClusterView))]
[JsonSerializable(typeof(ClusterUpView))]
[JsonSerializable(typeof(DashboardView))]
internal sealed partial class ViewJson : JsonSerializerContext;

/// <summary>One object in one line, for what goes on.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(EndpointChangeView))]
internal sealed partial class LineJson : JsonSerializerContext;
