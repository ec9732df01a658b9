using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>A machine of the simulated cloud, with its workers.</summary>
internal sealed class SimulatedVm
{
    private readonly VmWorld _world;
    private readonly VmRecord _vm;
    private readonly List<SimulatedVmWorker> _workers = [];
    private bool _isStopped;
    private bool _isPreempted;

    public SimulatedVm(VmWorld world, VmId id, VmRecord vm, bool late)
    {
        (_world, _vm, Id, IsLate) = (world, vm, id, late);
        for (var index = 0; index < vm.Workers.Length; index++)
        {
            _workers.Add(new SimulatedVmWorker(world, this, WorkerId.Parse(VmRules.WorkerIdOf(vm with { Id = id }, index)), VmWorldController.Source.TraitsOf(vm.Traits)));
        }
    }

    public VmId Id { get; }

    /// <summary>It was made when nobody waited for it any more.</summary>
    public bool IsLate { get; }

    public bool IsBeingRemoved { get; set; }

    /// <summary>Until then nothing reaches it, and nothing leaves it.</summary>
    public long CutOffUntil { get; private set; }

    public IReadOnlyList<SimulatedVmWorker> Workers => _workers;

    public VmInfo Info => new(Id, IsBeingRemoved ? VmStatus.Stopping : _isStopped ? VmStatus.Stopped : VmStatus.Running) { Zone = _vm.Traits.Zone, IsPreempted = _isPreempted };

    public void Boot()
    {
        foreach (var worker in _isStopped || IsBeingRemoved ? [] : _workers)
        {
            worker.Begin();
        }
    }

    /// <summary>Its power is gone. A cloud that took it away may leave the rest of it, or nothing.</summary>
    public void Die(bool preempted)
    {
        _world.Trace.Note($"{Id} {(preempted ? "is preempted" : "dies")}");
        _world.Count(preempted ? VmOccasion.MachinePreempted : VmOccasion.MachineDied);
        _isPreempted = preempted;
        Stop();
        if (preempted && _world.Dice.Chance(50))
        {
            _world.Cloud.Vanish(Id);
        }
    }

    public void Stop()
    {
        _isStopped = true;
        foreach (var worker in _workers)
        {
            worker.Vanish();
        }
    }

    /// <summary>One worker's process is killed. It is started again, mostly.</summary>
    public void KillWorker()
    {
        var worker = _world.Dice.Any(_workers);
        if (worker.IsUp && !_isStopped)
        {
            _world.Trace.Note($"{worker.Id} is killed");
            _world.Count(VmOccasion.WorkerDied);
            worker.Vanish();
            if (_world.Dice.Chance(75))
            {
                _world.After(_world.Dice.Between(500, 9_000), "a worker is started again", () =>
                {
                    if (!_isStopped)
                    {
                        worker.Begin();
                    }
                });
            }
        }
    }

    public void CutOff(int milliseconds)
    {
        _world.Trace.Note($"{Id} is cut off for {milliseconds} ms");
        _world.Count(VmOccasion.MachineCutOff);
        CutOffUntil = _world.Time.Now + milliseconds;
    }
}
