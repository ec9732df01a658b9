using Fluster.Cluster;
using Fluster.Controller;
using Fluster.Worker;
using WorkerState = Fluster.Controller.WorkerState;

namespace Fluster.Tests;

/// <summary>What must hold in a simulated cluster: between the state, what clients were told, and what really runs on the machines.</summary>
internal sealed class SimulationChecks(SimulatedWorld world)
{
    private readonly HashSet<Fence> _started = [];
    private readonly Dictionary<string, ClusterIdentity> _clusters = new(StringComparer.Ordinal);
    private ClusterState? _published;

    public StepChecks Steps { get; } = new(world);

    public RegistrationChecks Registrations { get; } = new(world);

    public bool IsQuiet =>
        world.Controller.IsUp
        && world.Clients.IsIdle
        && world.Machines.All(machine => machine.IsIdle)
        && _published!.Jobs.Ascending().All(job => !job.IsLive)
        && _published.Registrations.Ascending().All(registration => registration.Ended)
        && _published.Workers.Ascending().All(worker => worker.Held.IsEmpty);

    public string WhyNotQuiet()
    {
        var live = _published!.Jobs.Ascending().Where(job => job.IsLive).Select(job => $"{job.Id} is {job.State}{(job.Stopping ? ", stopping" : "")}");
        var heard = _published.Registrations.Ascending().Where(registration => !registration.Ended).Select(registration => $"{registration.Id} is live");
        var held = _published.Workers.Ascending().Where(worker => !worker.Held.IsEmpty).Select(worker => $"{worker.Id} ({worker.State}) is taken to hold {string.Join(' ', worker.Held.Select(fence => $"{fence.Epoch}.{fence.Counter}"))}");
        var busy = world.Machines.Where(machine => !machine.IsIdle).Select(machine => machine.Describe());
        return $"Nothing is broken any more, and the cluster does not come to rest. {string.Join("; ", [.. live, .. heard, .. held, .. busy])}";
    }

    /// <summary>An attempt is being started on a machine.</summary>
    public void Started(Fence fence) => Require(_started.Add(fence), $"Fence {fence.Epoch}.{fence.Counter} is started twice.");

    /// <summary>A drained worker ends.</summary>
    public void Left(SimulatedWorker machine) => Require(machine.Programs.Count == 0, $"{machine.Id} was drained and ends while {machine.Programs.Count} programs run.");

    /// <summary>The program of an attempt has begun.</summary>
    public void Runs(Fence fence, ProgramPlan plan)
    {
        var attempt = _published!.Attempt(fence)!;
        foreach (var other in plan.IsExclusive ? world.Machines.SelectMany(machine => machine.Programs.Keys) : [])
        {
            Require(
                other == fence || _published.Attempt(other) is not { } running || running.JobUid != attempt.JobUid || running.TaskIndex != attempt.TaskIndex,
                $"Two attempts of an exclusive task run: {other.Epoch}.{other.Counter} and {fence.Epoch}.{fence.Counter}.");
        }
    }

    /// <summary>A worker has met a controller that is not its own.</summary>
    public static void MetStranger(SimulatedWorker machine, AttemptSupervisor supervisor, ClusterIdentity known, IReadOnlyList<HeldAttempt> before)
    {
        Require(!supervisor.IsLinked && supervisor.Cluster == known, $"{machine.Id} has joined {supervisor.Cluster} and belongs to {known}.");
        Require(
            supervisor.Held.Select(held => held.Fence).SequenceEqual(before.Select(held => held.Fence))
            && !supervisor.Held.Except(before).Any(held => held.Stop is StopReason.Superseded or StopReason.Asked),
            $"{machine.Id} ended attempts because a stranger did not want them.");
    }

    /// <summary>A worker has handled an event.</summary>
    public void Supervised(SimulatedWorker machine, AttemptSupervisor supervisor)
    {
        if (supervisor.Cluster is not { } cluster)
        {
            return;
        }

        if (_clusters.TryGetValue(machine.Id, out var before))
        {
            Require(cluster.ClusterId == before.ClusterId && cluster.Epoch >= before.Epoch, $"{machine.Id} went from {before} to {cluster}.");
        }

        _clusters[machine.Id] = cluster;
    }

    /// <summary>A step ended in an error of the rules themselves.</summary>
    public void Answered(Envelope envelope) =>
        Require(envelope.Fault is null or ClusterRejectedException, $"{envelope.Input.GetType().Name}: {envelope.Fault}");

    public void AfterCommit(ClusterState state)
    {
        var before = _published!;
        _published = state;
        ClusterInvariants.Check(before, state, settled: true, world.Controller.Loop.Now().Time);
        Registrations.AfterCommit(state);
        world.Clients.EndpointsAreThere(state);
        EveryProgramIsCountedFor(state);
        OnlyTheSilentAreLost(before, state);
    }

    /// <summary>What a start will read must hold all that anybody was told.</summary>
    public void BeforeRestart()
    {
        if (_published is null || world.Controller.Disk.Durable is not { } durable)
        {
            return;
        }

        ClusterInvariants.Check(_published, durable, settled: true, durable.Meta.Time);
        foreach (var (request, uid) in world.Clients.Acknowledged)
        {
            Require(durable.Jobs.Find(uid)?.RequestId == request, $"Job {uid} ({request}) was acknowledged and is not on the disk.");
        }

        foreach (var uid in world.Clients.Stopped)
        {
            Require(durable.Jobs.Find(uid) is { } job && (job.Stopping || !job.IsLive), $"The stop of job {uid} was acknowledged and is not on the disk.");
        }

        world.Clients.EndpointsAreThere(durable);
        Require(!world.Clients.HasRevoked || !durable.Meta.RevokedBefore.IsEmpty, "Tokens were revoked, and that is not on the disk.");
    }

    public void Restarted(ClusterState state)
    {
        _published = state;
        Registrations.Restarted();
    }

    public void AtTheEnd()
    {
        BeforeRestart();
        Require(_published!.Endpoints.Count == 0, "There are endpoints, and nothing runs.");
        foreach (var worker in _published.Workers.Ascending())
        {
            Require(worker.Used == default, $"{worker.Id} holds nothing and uses {worker.Used}.");
        }
    }

    /// <summary>What holds capacity in truth holds it in the state: nothing is given back before its process tree is gone.</summary>
    private void EveryProgramIsCountedFor(ClusterState state)
    {
        foreach (var machine in world.Machines)
        {
            foreach (var fence in machine.Programs.Keys)
            {
                Require(state.Attempt(fence) is { Dead: false }, $"The program of {fence.Epoch}.{fence.Counter} runs on {machine.Id}, and the state holds it for dead.");
            }
        }
    }

    private void OnlyTheSilentAreLost(ClusterState before, ClusterState state)
    {
        foreach (var worker in state.Workers.Ascending())
        {
            if (worker.State == WorkerState.Lost && before.Workers.Find(worker.Uid)?.State != WorkerState.Lost)
            {
                var machine = world.Machines.First(machine => machine.Id == worker.Id.ToString());
                var silent = world.Controller.PassBegan - machine.HeardBeforePass; // what comes while the disk is slow comes after the decision
                world.Trace.Note($"{machine.Id} is lost after {silent} ms");
                Require(silent >= (SimulatedController.Leases.LostAfter - 2) * 1000L, $"{machine.Id} was given up {silent} ms after its last frame.");
            }
        }
    }

    private static void Require(bool condition, string why)
    {
        if (!condition)
        {
            throw new InvariantViolatedException(why);
        }
    }
}
