using System.Collections.Immutable;
using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>A worker on a simulated machine, much simplified: it looks at the published state instead of frames, and its programs only take their time.</summary>
internal sealed class SimulatedVmWorker(VmWorld world, SimulatedVm machine, WorkerId id, WorkerTraits traits)
{
    private const long Beat = 3_000;

    // On its disk.
    private readonly HashSet<Fence> _started = [];
    private bool _hasCredential;
    private ulong _incarnation;

    // In its process.
    private readonly SortedDictionary<Fence, bool> _programs = []; // whether it has ended
    private int _life;
    private long _link;
    private long _uid;
    private int _tries;

    public WorkerId Id => id;

    public bool IsUp { get; private set; }

    public IEnumerable<Fence> Programs => _programs.Where(program => !program.Value).Select(program => program.Key);

    public void Begin()
    {
        if (!IsUp)
        {
            (IsUp, _incarnation, _link) = (true, _incarnation + 1, 0);
            Connect();
        }
    }

    /// <summary>The process and all that it ran is gone.</summary>
    public void Vanish()
    {
        (IsUp, _uid) = (false, 0);
        _life++;
        _programs.Clear();
    }

    /// <summary>The controller is gone: whoever was linked begins anew.</summary>
    public void Unlink()
    {
        if (_uid != 0)
        {
            _uid = 0;
            TryAgain(100, 2_000);
        }
    }

    private bool IsReached => world.Time.Now >= machine.CutOffUntil && world.Controller.IsUp;

    private void Connect()
    {
        if (!IsReached)
        {
            TryAgain(500, 3_000);
            return;
        }

        var first = !_hasCredential;
        var attempt = ++_tries;
        var hello = new ClusterInput.Hello(id, _incarnation, traits, Holdings(), ++_link, new VmPass(machine.Id, first));
        var controller = world.Controller.Life;
        world.Controller.Put(hello, answer =>
        {
            if (first && answer.Rejection is null && _incarnation > 1)
            {
                world.Count(VmOccasion.TokenShownAgain);
            }

            Later(world.Latency(), "a worker is answered", () =>
            {
                if (attempt == _tries)
                {
                    Welcomed(answer, first, controller);
                }
            });
        });
        Later(15_000, "a worker has waited for an answer", () =>
        {
            if (attempt == _tries && _uid == 0)
            {
                Connect();
            }
        });
    }

    private void TryAgain(int from, int to)
    {
        var attempt = ++_tries; // whatever else is under way comes to nothing
        Later(world.Dice.Between(from, to), "a worker tries again", () =>
        {
            if (attempt == _tries)
            {
                Connect();
            }
        });
    }

    private void Welcomed(StepResult answer, bool first, int controller)
    {
        if (answer.Rejection is not null)
        {
            TryAgain(5_000, 30_000);
        }
        else if (controller != world.Controller.Life || !IsReached)
        {
            TryAgain(1_000, 5_000);
        }
        else if (first)
        {
            _hasCredential = true; // from here on; a crash before this leaves it with the token
            Connect();
        }
        else
        {
            _uid = answer.Subject;
            world.Controller.Linked(_uid);
            Look();
        }
    }

    private void Look()
    {
        if (_uid == 0)
        {
            return;
        }

        if (!IsReached)
        {
            world.Controller.Unlinked(_uid);
            Unlink();
            return;
        }

        var state = world.Controller.Loop.Current;
        if (state.Workers.Find(_uid) is not { State: not Fluster.Controller.WorkerState.Lost } worker || worker.Incarnation != _incarnation)
        {
            world.Controller.Unlinked(_uid);
            Unlink(); // it has to say Hello again
            return;
        }

        foreach (var fence in _programs.Keys.Where(fence => !worker.Held.Contains(fence) || state.Attempt(fence) is not { IsLive: true } and not { Dead: false }).ToList())
        {
            _programs.Remove(fence); // acknowledged, or superseded
        }

        foreach (var fence in worker.Held)
        {
            var attempt = state.Attempt(fence)!;
            if (attempt.IsLive && attempt.StopCause is null && !_programs.ContainsKey(fence) && _started.Add(fence))
            {
                world.Checks.Started(fence);
                _programs[fence] = false;
                Later(world.Dice.Between(500, 30_000), "a program ends", () => End(fence));
            }
            else if (attempt.StopCause is not null && (_programs.ContainsKey(fence) || _started.Add(fence)))
            {
                _programs[fence] = true; // also one that was never begun
            }
        }

        var observe = new ClusterInput.Observe(_uid, _incarnation, Holdings(), [.. worker.Held.Where(fence => !_programs.ContainsKey(fence) && _started.Contains(fence))]);
        var link = _link;
        world.Controller.Put(observe, _ => { });
        if (worker is { Draining: true, Held.IsEmpty: true } && _programs.Count == 0)
        {
            world.Controller.Unlinked(_uid);
            Vanish(); // it was drained; its machine goes on
            return;
        }

        Later(Beat, "a worker reports", () =>
        {
            if (link == _link)
            {
                Look();
            }
        });
    }

    private void End(Fence fence)
    {
        if (_programs.ContainsKey(fence))
        {
            _programs[fence] = true;
        }
    }

    private ImmutableArray<Observation> Holdings() =>
    [
        .. _programs.Select(program => program.Value
            ? new Observation(program.Key, AttemptPhase.Ended) { Outcome = MachineLab.Success }
            : new Observation(program.Key, AttemptPhase.Running)),
    ];

    private void Later(long delay, string what, Action act)
    {
        var life = _life;
        world.After(delay, what, () =>
        {
            if (life == _life && IsUp)
            {
                act();
            }
        });
    }
}
