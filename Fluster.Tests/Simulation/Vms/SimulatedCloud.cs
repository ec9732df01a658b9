using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>A cloud: does what it is asked for, or says so and does not, or does it and does not say so, now or later.</summary>
internal sealed class SimulatedCloud(VmWorld world)
{
    private static readonly VmFailureKind[] s_refusals = [VmFailureKind.Stockout, VmFailureKind.Quota, VmFailureKind.RateLimited, VmFailureKind.Transient, VmFailureKind.Unknown];

    private readonly SortedDictionary<string, SimulatedVm> _machines = new(StringComparer.Ordinal);
    private readonly HashSet<Guid> _requests = [];
    private readonly Dictionary<long, int> _madeFor = [];

    public IReadOnlyCollection<SimulatedVm> Machines => _machines.Values;

    public SimulatedVm? Find(VmId id) => _machines.GetValueOrDefault(id.ToString());

    public SimulatedVm? Any() => _machines.Count == 0 ? null : world.Dice.Any([.. _machines.Values]);

    public void Create(VmRecord vm, Guid requestId, VmId name, Action<VmFailure?> answer)
    {
        var fault = world.IsTroubled ? world.Dice.Roll(100) : 99;
        var scope = vm.Traits.Scopes[world.Dice.Roll(vm.Traits.Scopes.Length)];
        switch (fault)
        {
            case < 12:
                world.Count(VmOccasion.CreateRefused);
                var kind = world.Dice.Any(s_refusals);
                world.After(world.Latency(), "a create is refused", () => answer(new VmFailure(kind, "no", scope)));
                break;
            case < 17:
                world.Count(VmOccasion.CreateLost);
                world.After(world.Dice.Between(1_000, 10_000), "a create was lost", () => answer(new VmFailure(VmFailureKind.Transient, "no answer")));
                break;
            case < 24:
                world.Count(VmOccasion.CreateAnswerLost);
                Arrive(world.Latency(), late: false);
                world.After(world.Dice.Between(9_000, 15_000), "the answer to a create was lost", () => answer(new VmFailure(VmFailureKind.Transient, "no answer")));
                break;
            case < 28:
                world.Count(VmOccasion.CreateArrivedLate);
                Arrive(world.Dice.Between(5_000, 120_000), late: true);
                world.After(world.Dice.Between(1_000, 4_000), "a create is under way somewhere", () => answer(new VmFailure(VmFailureKind.Transient, "no answer")));
                break;
            default:
                Arrive(world.Latency(), late: false, () => world.After(world.Latency(), "a create is accepted", () => answer(null)));
                break;
        }

        void Arrive(int delay, bool late, Action? accepted = null) => world.After(delay, "a create arrives at the cloud", () =>
        {
            Make(vm, requestId, name, late);
            accepted?.Invoke();
        });
    }

    /// <param name="id">Which one.</param>
    /// <param name="answer">Takes whether the cloud says that it is gone.</param>
    public void Release(VmId id, Action<bool> answer)
    {
        if (world.Trouble(10))
        {
            world.Count(VmOccasion.DeleteFailed);
            world.After(world.Latency(), "a delete fails", () => answer(false));
            return;
        }

        var lost = world.Trouble(8);
        world.After(world.Latency(), "a delete arrives at the cloud", () =>
        {
            if (Find(id) is { } machine)
            {
                machine.IsBeingRemoved = true;
            }

            world.After(world.Dice.Between(500, 5_000), "a machine is removed", () =>
            {
                Vanish(id);
                if (lost)
                {
                    world.Count(VmOccasion.DeleteAnswerLost);
                }

                world.After(world.Latency(), "the answer to a delete", () => answer(!lost));
            });
        });
    }

    /// <param name="answer">Takes the list; null: there is none now.</param>
    public void List(Action<VmListing?> answer)
    {
        var fault = world.IsTroubled ? world.Dice.Roll(100) : 99;
        world.After(world.Latency(), "a list", () =>
        {
            var all = _machines.Values.Select(machine => machine.Info).ToList();
            switch (fault)
            {
                case < 10:
                    world.Count(VmOccasion.NoList);
                    answer(null);
                    break;
                case < 25:
                    world.Count(VmOccasion.ListWasPartial);
                    answer(new VmListing([.. all.Where(_ => world.Dice.Chance(50))], IsComplete: false));
                    break;
                default:
                    answer(new VmListing(all, IsComplete: true));
                    break;
            }
        });
    }

    /// <param name="id">Which one.</param>
    /// <param name="answer">Takes whether there was an answer, and what it is.</param>
    public void Get(VmId id, Action<bool, VmInfo?> answer)
    {
        var fault = world.Trouble(10);
        world.After(world.Latency(), "a look at a machine", () => answer(!fault, Find(id)?.Info));
    }

    public void Vanish(VmId id)
    {
        if (_machines.Remove(id.ToString(), out var machine))
        {
            machine.Stop();
        }
    }

    private void Make(VmRecord vm, Guid requestId, VmId name, bool late)
    {
        if (!_requests.Add(requestId))
        {
            world.Count(VmOccasion.CreateRepeated);
            return; // the same request again makes no second one, also when the first is gone
        }

        _madeFor[vm.Uid] = _madeFor.GetValueOrDefault(vm.Uid) + 1;
        if (_madeFor[vm.Uid] > 1)
        {
            throw new InvariantViolatedException($"Two machines were made for {vm.Id}.");
        }

        world.Trace.Note($"{name} is made, {vm.Traits.Text}");
        var machine = _machines[name.ToString()] = new SimulatedVm(world, name, vm, late || world.Controller.State.Vms.Find(vm.Uid) is not { IsWanted: true });
        if (world.Trouble(6))
        {
            world.Count(VmOccasion.CreateFailedLater);
            world.After(world.Dice.Between(1_000, 20_000), "what was accepted fails after all", () => Vanish(name));
        }
        else if (world.Trouble(6))
        {
            world.Count(VmOccasion.MachineHung);
        }
        else
        {
            world.After(world.Dice.Between(2_000, 20_000), "a machine has booted", machine.Boot);
        }
    }
}
