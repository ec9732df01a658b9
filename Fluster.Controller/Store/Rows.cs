using System.Collections.Immutable;
using Fluster.Store.V1;
using Google.Protobuf;

namespace Fluster.Controller;

/// <summary>Records as rows and back. What follows from other rows is not written.</summary>
internal static class Rows
{
    public static MetaRow ToRow(ClusterMeta meta) => new()
    {
        ClusterId = meta.ClusterId,
        Epoch = meta.Epoch,
        Time = meta.Time,
        NextJob = meta.NextJob,
        NextTask = meta.NextTask,
        NextAttempt = meta.NextAttempt,
        NextWorker = meta.NextWorker,
        NextEndpoint = meta.NextEndpoint,
        EndpointVersion = meta.EndpointVersion,
        NextTombstone = meta.NextTombstone,
        NextRegistration = meta.NextRegistration,
        NextVm = meta.NextVm,
        NextVmBlock = meta.NextVmBlock,
        RevokedBefore = { meta.RevokedBefore },
        Adopted = { meta.Adopted },
    };

    public static ClusterMeta ToRecord(MetaRow row) => new()
    {
        ClusterId = row.ClusterId,
        Epoch = row.Epoch,
        Time = row.Time,
        NextJob = row.NextJob,
        NextTask = row.NextTask,
        NextAttempt = row.NextAttempt,
        NextWorker = row.NextWorker,
        NextEndpoint = row.NextEndpoint,
        EndpointVersion = row.EndpointVersion,
        NextTombstone = Math.Max(1, row.NextTombstone),
        NextRegistration = Math.Max(1, row.NextRegistration),
        NextVm = Math.Max(1, row.NextVm),
        NextVmBlock = Math.Max(1, row.NextVmBlock),
        RevokedBefore = row.RevokedBefore.ToImmutableSortedDictionary(StringComparer.Ordinal),
        Adopted = row.Adopted.ToImmutableSortedSet(StringComparer.Ordinal),
    };

    public static RequestRow ToRequestRow(JobRecord job) => new()
    {
        Spec = UnsafeByteOperations.UnsafeWrap(job.Request),
        Trace = UnsafeByteOperations.UnsafeWrap(job.Trace),
    };

    public static JobRow ToRow(JobRecord job)
    {
        var row = new JobRow
        {
            Id = job.Id.ToString(),
            RequestId = job.RequestId,
            Namespace = job.Namespace.ToString(),
            Terms = ToRow(job.Terms),
            ParentUid = job.ParentUid,
            ParentFence = job.ParentFence.Value,
            Generation = job.Generation,
            PreviousUid = job.PreviousUid,
            FirstTask = job.FirstTask,
            State = (int)job.State,
            Stopping = job.Stopping,
            Verdict = (int)job.Verdict,
            StopCause = (int)job.StopCause,
            Building = job.Building,
            Running = job.Running,
            Succeeded = job.Succeeded,
            Ended = job.Ended,
            QueuedAt = job.QueuedAt,
            SchedulingDue = job.SchedulingDue,
            CreatedAt = job.CreatedAt,
            StartedAt = job.StartedAt,
            EndedAt = job.EndedAt,
        };
        if (job.Failure is { } failure)
        {
            row.Failure = failure.ToWire();
        }

        return row;
    }

    public static JobRecord ToRecord(long uid, JobRow row, RequestRow request, Func<string, Namespace> namespaceOf) => new()
    {
        Uid = uid,
        Id = JobId.Parse(row.Id),
        RequestId = row.RequestId,
        Namespace = namespaceOf(row.Namespace),
        Terms = ToRecord(row.Terms),
        Request = request.Spec.Memory,
        Trace = request.Trace.Memory,
        ParentUid = row.ParentUid,
        ParentFence = new Fence(row.ParentFence),
        Generation = row.Generation,
        PreviousUid = row.PreviousUid,
        FirstTask = row.FirstTask,
        State = (JobState)row.State,
        Stopping = row.Stopping,
        Verdict = (JobState)row.Verdict,
        StopCause = (KillCause)row.StopCause,
        Failure = row.Failure?.ToDomain(),
        Building = row.Building,
        Running = row.Running,
        Succeeded = row.Succeeded,
        Ended = row.Ended,
        QueuedAt = row.QueuedAt,
        SchedulingDue = row.SchedulingDue,
        CreatedAt = row.CreatedAt,
        StartedAt = row.StartedAt,
        EndedAt = row.EndedAt,
    };

    public static TaskRow ToRow(TaskRecord task)
    {
        var row = new TaskRow
        {
            JobUid = task.JobUid,
            Index = task.Index,
            State = (int)task.State,
            Failures = task.Failures,
            Losses = task.Losses,
            FreeInARow = task.FreeInARow,
            NotBefore = task.NotBefore,
            LiveChildren = task.LiveChildren,
            Part = (int)task.Part,
        };
        foreach (var fence in task.Attempts)
        {
            row.Attempts.Add(fence.Value);
        }

        if (task.Result is { } result)
        {
            row.Result = result.ToWire();
        }

        return row;
    }

    public static TaskRecord ToRecord(long uid, TaskRow row) => new()
    {
        Uid = uid,
        JobUid = row.JobUid,
        Index = row.Index,
        State = (JobState)row.State,
        Attempts = [.. row.Attempts.Select(value => new Fence(value))],
        Failures = row.Failures,
        Losses = row.Losses,
        FreeInARow = row.FreeInARow,
        NotBefore = row.NotBefore,
        LiveChildren = row.LiveChildren,
        Result = row.Result.ToRecord(),
        Part = (GangPart)row.Part,
    };

    public static AttemptRow ToRow(AttemptRecord attempt)
    {
        var row = new AttemptRow
        {
            Fence = attempt.Fence.Value,
            JobUid = attempt.JobUid,
            TaskIndex = attempt.TaskIndex,
            WorkerUid = attempt.WorkerUid,
            Worker = attempt.Worker.ToString(),
            Incarnation = attempt.Incarnation,
            Number = attempt.Number,
            Gpus = attempt.Gpus.Bits,
            State = (int)attempt.State,
            Dead = attempt.Dead,
            StopCause = (int)(attempt.StopCause ?? default),
            TimedOut = attempt.TimedOut,
            ExecutionDue = attempt.ExecutionDue,
            PlacedAt = attempt.PlacedAt,
            StartedAt = attempt.StartedAt,
            EndedAt = attempt.EndedAt,
        };
        foreach (var port in attempt.Ports)
        {
            row.Ports.Add(new PortRow { Name = port.Name, Port = port.Port });
        }

        if (attempt.Failure is { } failure)
        {
            row.Failure = failure.ToWire();
        }

        if (attempt.Logs is { } logs)
        {
            row.Logs = logs.ToWire();
        }

        return row;
    }

    public static AttemptRecord ToRecord(AttemptRow row, Func<string, WorkerId> workerOf) => new()
    {
        Fence = new Fence(row.Fence),
        JobUid = row.JobUid,
        TaskIndex = row.TaskIndex,
        WorkerUid = row.WorkerUid,
        Worker = workerOf(row.Worker),
        Incarnation = row.Incarnation,
        Number = row.Number,
        Gpus = new GpuSet(row.Gpus),
        State = (JobState)row.State,
        Dead = row.Dead,
        StopCause = row.StopCause == 0 ? null : (KillCause)row.StopCause,
        TimedOut = row.TimedOut,
        Ports = [.. row.Ports.Select(port => new PortRecord(port.Name, port.Port))],
        Failure = row.Failure?.ToDomain(),
        Logs = row.Logs is null ? null : row.Logs.ToRecord(),
        ExecutionDue = row.ExecutionDue,
        PlacedAt = row.PlacedAt,
        StartedAt = row.StartedAt,
        EndedAt = row.EndedAt,
    };

    public static WorkerRow ToRow(WorkerRecord worker)
    {
        var row = new WorkerRow
        {
            Id = worker.Id.ToString(),
            Incarnation = worker.Incarnation,
            Link = worker.Link,
            Capacity = ToRow(worker.Traits.Capacity),
            MaxConcurrentJobs = worker.Traits.MaxConcurrentJobs,
            Region = worker.Traits.Region,
            Capabilities = UnsafeByteOperations.UnsafeWrap(worker.Traits.Capabilities),
            State = (int)worker.State,
            ConnectedAt = worker.ConnectedAt,
            LostAt = worker.LostAt,
            Draining = worker.Draining,
            Quarantines = worker.Quarantines,
            QuarantinedUntil = worker.QuarantinedUntil,
            VmUid = worker.VmUid,
            VmIndex = worker.VmIndex,
            HasCredential = worker.HasCredential,
        };
        row.EarlyFailures.AddRange(worker.EarlyFailures);
        return row;
    }

    public static WorkerRecord ToRecord(long uid, WorkerRow row) => new()
    {
        Uid = uid,
        Id = WorkerId.Parse(row.Id),
        Incarnation = row.Incarnation,
        Link = row.Link,
        Traits = new WorkerTraits
        {
            Capacity = ToRecord(row.Capacity),
            MaxConcurrentJobs = row.MaxConcurrentJobs,
            Region = row.Region,
            Capabilities = row.Capabilities.Memory,
        },
        State = (WorkerState)row.State,
        Draining = row.Draining,
        ConnectedAt = row.ConnectedAt,
        LostAt = row.LostAt,
        EarlyFailures = [.. row.EarlyFailures],
        Quarantines = row.Quarantines,
        QuarantinedUntil = row.QuarantinedUntil,
        VmUid = row.VmUid,
        VmIndex = row.VmIndex,
        HasCredential = row.HasCredential,
    };

    /// <summary>Whether two records of a worker have the same row.</summary>
    public static bool SameRow(WorkerRecord left, WorkerRecord right) =>
        ReferenceEquals(left.Traits, right.Traits)
        && left.Incarnation == right.Incarnation
        && left.Link == right.Link
        && left.State == right.State
        && left.Draining == right.Draining
        && left.ConnectedAt == right.ConnectedAt
        && left.LostAt == right.LostAt
        && left.EarlyFailures == right.EarlyFailures
        && left.Quarantines == right.Quarantines
        && left.QuarantinedUntil == right.QuarantinedUntil
        && left.VmUid == right.VmUid
        && left.VmIndex == right.VmIndex
        && left.HasCredential == right.HasCredential;

    public static EndpointRow ToRow(EndpointRecord endpoint)
    {
        var row = new EndpointRow
        {
            Id = endpoint.Id.ToString(),
            Namespace = endpoint.Namespace.ToString(),
            Name = endpoint.Name,
            Address = endpoint.Address,
            OwnerJob = endpoint.OwnerJob?.ToString() ?? "",
            OwnerFence = endpoint.Owner.Fence.Value,
            OwnerRegistration = endpoint.Owner.Registration?.ToString() ?? "",
            RegisteredAt = endpoint.RegisteredAt,
        };
        foreach (var (key, value) in endpoint.Metadata)
        {
            row.Metadata.Add(new MetadataRow { Key = key, Value = value });
        }

        return row;
    }

    public static EndpointRecord ToRecord(long uid, EndpointRow row) => new()
    {
        Uid = uid,
        Id = EndpointId.Parse(row.Id),
        Namespace = Namespace.Parse(row.Namespace),
        Name = row.Name,
        Address = row.Address,
        OwnerJob = row.OwnerJob.Length > 0 ? JobId.Parse(row.OwnerJob) : null,
        Owner = new EndpointOwner(new Fence(row.OwnerFence), row.OwnerRegistration.Length > 0 ? RegistrationId.Parse(row.OwnerRegistration) : null),
        Metadata = [.. row.Metadata.Select(pair => KeyValuePair.Create(pair.Key, pair.Value))],
        RegisteredAt = row.RegisteredAt,
    };

    /// <summary>The job will not run again: the values of its environment, which may be secrets, are not kept.</summary>
    public static ArchivedRow ToRow(ArchivedJob archived)
    {
        var spec = V1.JobSpec.Parser.ParseFrom(archived.Job.Request.Span);
        spec.Environment?.Variables.Clear();
        return new ArchivedRow { Job = ToRow(archived.Job), Request = new RequestRow { Spec = spec.ToByteString() } };
    }

    public static TombstoneRow ToRow(TombstoneRecord tombstone) => new()
    {
        JobId = tombstone.Id.ToString(),
        Namespace = tombstone.Namespace?.ToString() ?? "",
        Until = tombstone.Until,
    };

    public static TombstoneRecord ToRecord(long uid, TombstoneRow row) => new()
    {
        Uid = uid,
        Id = JobId.Parse(row.JobId),
        Namespace = row.Namespace.Length == 0 ? null : Namespace.Parse(row.Namespace),
        Until = row.Until,
    };

    public static RegistrationRow ToRow(RegistrationRecord registration) => new()
    {
        Id = registration.Id.ToString(),
        Namespace = registration.Namespace.ToString(),
        Ended = registration.Ended,
        ForgetDue = registration.ForgetDue,
        OpenedAt = registration.OpenedAt,
    };

    public static RegistrationRecord ToRecord(long uid, RegistrationRow row) => new()
    {
        Uid = uid,
        Id = RegistrationId.Parse(row.Id),
        Namespace = Namespace.Parse(row.Namespace),
        Ended = row.Ended,
        ForgetDue = row.ForgetDue,
        OpenedAt = row.OpenedAt,
    };

    public static ActionRow ToRow(ActionRecord action) => new()
    {
        Time = action.Time,
        Kind = action.Kind,
        Namespace = action.Namespace?.ToString() ?? "",
        JobId = action.JobId?.ToString() ?? "",
        WorkerId = action.WorkerId?.ToString() ?? "",
        EndpointId = action.EndpointId?.ToString() ?? "",
        Details = action.Details,
    };

    public static ActionRecord ToRecord(ActionRow row) => new(row.Kind, row.Time)
    {
        Namespace = row.Namespace.Length > 0 ? Namespace.Parse(row.Namespace) : null,
        JobId = row.JobId.Length > 0 ? JobId.Parse(row.JobId) : null,
        WorkerId = row.WorkerId.Length > 0 ? WorkerId.Parse(row.WorkerId) : null,
        EndpointId = row.EndpointId.Length > 0 ? EndpointId.Parse(row.EndpointId) : null,
        Details = row.Details,
    };

    private static TermsRow ToRow(JobTerms terms) => new()
    {
        Name = terms.Name,
        Replicas = terms.Replicas,
        Shape = ToRow(terms.Shape),
        Priority = (V1.Priority)(terms.Priority ?? JobPriority.Interactive),
        FailureRetries = terms.FailureRetries,
        LossRetries = terms.LossRetries,
        SchedulingTimeout = terms.SchedulingTimeout,
        ExecutionTimeout = terms.ExecutionTimeout,
        Coscheduled = terms.Coscheduled,
        Exclusive = terms.Exclusive,
        KeepChildren = terms.KeepChildren,
        SliceSize = terms.SliceSize,
    };

    private static JobTerms ToRecord(TermsRow row) => new()
    {
        Name = row.Name,
        Replicas = row.Replicas,
        Shape = ToRecord(row.Shape),
        Priority = (JobPriority)row.Priority,
        FailureRetries = row.FailureRetries,
        LossRetries = row.LossRetries,
        SchedulingTimeout = row.SchedulingTimeout,
        ExecutionTimeout = row.ExecutionTimeout,
        Coscheduled = row.Coscheduled,
        Exclusive = row.Exclusive,
        KeepChildren = row.KeepChildren,
        SliceSize = Math.Max(1, row.SliceSize),
    };

    public static ShapeRow ToRow(ResourceShape shape) => new()
    {
        CpuMillis = shape.CpuMillis,
        MemoryBytes = shape.MemoryBytes,
        DiskBytes = shape.DiskBytes,
        GpuVariant = shape.GpuVariant,
        Gpus = shape.Gpus,
        TpuVariant = shape.TpuVariant,
        Preemptible = shape.Preemptible,
        Container = shape.Container,
        Regions = shape.Regions,
    };

    public static ResourceShape ToRecord(ShapeRow row) => new()
    {
        CpuMillis = row.CpuMillis,
        MemoryBytes = row.MemoryBytes,
        DiskBytes = row.DiskBytes,
        GpuVariant = row.GpuVariant,
        Gpus = row.Gpus,
        TpuVariant = row.TpuVariant,
        Preemptible = row.Preemptible,
        Container = row.Container,
        Regions = row.Regions,
    };
}
