using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>Where the process of the controller may die.</summary>
internal enum CrashPoint
{
    None,

    /// <summary>The batch was made and is not on the disk.</summary>
    BeforeCommit,

    /// <summary>It is on the disk; nobody was told.</summary>
    AfterCommit,

    /// <summary>It is published; nobody was told.</summary>
    BeforeAnswers,

    /// <summary>Callers were told; nothing was started.</summary>
    BeforeEffects,
}

/// <summary>The controller's disk: what was committed is there after a crash, and nothing else is.</summary>
internal sealed class SimulatedDisk(SimulatedWorld world) : IBatchStore
{
    private ClusterState? _durable;
    private ClusterState? _unwritten;
    private ClusterMeta? _atLastStart;

    /// <summary>Commits that find no room.</summary>
    public int FullFor { get; set; }

    /// <summary>Milliseconds that the next commit takes.</summary>
    public int SlowFor { get; set; }

    /// <summary>What a start would read.</summary>
    public ClusterState? Durable => _durable;

    /// <summary>Reads the state, as a start does, and writes the new epoch.</summary>
    public ClusterState Open()
    {
        _unwritten = null;
        var state = _durable ?? new ClusterState { Meta = new ClusterMeta { ClusterId = "simulated", Epoch = 0 } };
        if (world.Bug == PlantedBug.FenceReusedAfterRestart && _atLastStart is { } last)
        {
            _durable = state with { Meta = state.Meta with { NextAttempt = last.NextAttempt } };
        }
        else
        {
            _durable = state.AtNextStart();
        }

        _atLastStart = _durable.Meta;
        return _durable;
    }

    public void Commit(Batch batch, ClusterMeta meta, Func<long, bool> isNew)
    {
        world.Controller.CrashIf(CrashPoint.BeforeCommit);
        if (FullFor > 0)
        {
            FullFor--;
            world.Figures.Count(SimulatedEvent.CommitFoundNoRoom);
            throw new StoreFullException("simulated");
        }

        if (SlowFor > 0)
        {
            var slow = SlowFor;
            SlowFor = 0;
            world.Figures.Count(SimulatedEvent.CommitWasSlow);
            world.Controller.WaitForDisk(slow);
        }

        if (world.Bug == PlantedBug.AnswerBeforeCommit)
        {
            // It says so before it is: one commit stays in memory until the next.
            _durable = _unwritten ?? _durable;
            _unwritten = Folded(_durable!, batch, meta);
        }
        else
        {
            _durable = Folded(_durable!, batch, meta);
        }

        world.Controller.CrashIf(CrashPoint.AfterCommit);
    }

    /// <summary>A state and what was written since.</summary>
    public static ClusterState Folded(ClusterState state, Batch batch, ClusterMeta meta)
    {
        var jobs = state.Jobs.ToBuilder();
        foreach (var (uid, job) in batch.Jobs)
        {
            jobs.Set(uid, job);
        }

        var tasks = state.Tasks.ToBuilder();
        foreach (var (uid, task) in batch.Tasks)
        {
            tasks.Set(uid, task);
        }

        var attempts = state.Attempts.ToBuilder();
        foreach (var (uid, attempt) in batch.Attempts)
        {
            attempts.Set(uid, attempt);
        }

        foreach (var archived in batch.ArchivedJobs.Values)
        {
            jobs.Remove(archived.Job.Uid);
            foreach (var fence in archived.Attempts)
            {
                attempts.Remove(fence.Counter);
            }

            for (var index = 0; index < archived.Job.Terms.Replicas; index++)
            {
                tasks.Remove(archived.Job.FirstTask + index);
            }
        }

        var tombstones = state.Tombstones.ToBuilder();
        foreach (var (uid, tombstone) in batch.Tombstones)
        {
            if (tombstone is null)
            {
                tombstones.Remove(uid);
            }
            else
            {
                tombstones.Set(uid, tombstone);
            }
        }

        var workers = state.Workers.ToBuilder();
        foreach (var (uid, worker) in batch.Workers)
        {
            if (worker is null)
            {
                workers.Remove(uid);
            }
            else
            {
                workers.Set(uid, worker);
            }
        }

        var endpoints = state.Endpoints;
        if (batch.Endpoints.Count > 0)
        {
            var table = endpoints.ToBuilder();
            foreach (var endpoint in endpoints.All.Where(endpoint => batch.Endpoints.ContainsKey(endpoint.Uid)).ToList())
            {
                table.Remove(endpoint);
            }

            foreach (var endpoint in batch.Endpoints.Values.OfType<EndpointRecord>())
            {
                table.Add(endpoint);
            }

            endpoints = table.ToImmutable();
        }

        var registrations = state.Registrations.ToBuilder();
        foreach (var (uid, registration) in batch.Registrations)
        {
            if (registration is null)
            {
                registrations.Remove(uid);
            }
            else
            {
                registrations.Set(uid, registration);
            }
        }

        var vms = state.Vms.ToBuilder();
        foreach (var (uid, vm) in batch.Vms)
        {
            if (vm is null)
            {
                vms.Remove(uid);
            }
            else
            {
                vms.Set(uid, vm);
            }
        }

        var blocks = state.VmBlocks.ToBuilder();
        foreach (var (uid, block) in batch.VmBlocks)
        {
            if (block is null)
            {
                blocks.Remove(uid);
            }
            else
            {
                blocks.Set(uid, block);
            }
        }

        return state with
        {
            Meta = meta,
            Vms = vms.ToImmutable(),
            VmBlocks = blocks.ToImmutable(),
            Jobs = jobs.ToImmutable(),
            Tasks = tasks.ToImmutable(),
            Attempts = attempts.ToImmutable(),
            Workers = workers.ToImmutable(),
            Endpoints = endpoints,
            Tombstones = tombstones.ToImmutable(),
            Registrations = registrations.ToImmutable(),
        };
    }
}
