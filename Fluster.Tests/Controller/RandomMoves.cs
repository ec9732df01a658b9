using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>Turns numbers into inputs that make sense often enough to get somewhere, and are late or wrong often enough to try the rules.</summary>
internal static class RandomMoves
{
    private const int Workers = 3;

    public static void Make(MachineLab lab, int number)
    {
        var dice = new Dice(number);
        if (lab.HasFollowing && dice.Roll(2) == 0)
        {
            lab.GoOn();
            return;
        }

        if (lab.IsDue)
        {
            lab.Apply(new ClusterInput.Tick());
            return;
        }

        switch (dice.Roll(17))
        {
            case 0 or 1:
                lab.Apply(Submit(lab, dice));
                break;
            case 2 or 3 or 4:
                Place(lab, dice);
                break;
            case 5 or 6:
                Observe(lab, dice, AttemptPhase.Running);
                break;
            case 7 or 8:
                Observe(lab, dice, AttemptPhase.Ended);
                break;
            case 9:
                Worker(lab, dice);
                break;
            case 10:
                Stop(lab, dice);
                break;
            case 11:
                Preempt(lab, dice);
                break;
            case 12:
                Administer(lab, dice);
                break;
            case 13 or 14 or 15:
                RandomVmMoves.Make(lab, dice.Roll);
                break;
            default:
                lab.Now += dice.Roll(40) * (dice.Roll(4) == 0 ? 5_000 : 500);
                Endpoint(lab, dice);
                break;
        }
    }

    /// <summary>Moves that get gangs through their generations; any other move comes now and then.</summary>
    public static void MakeForGangs(MachineLab lab, int number)
    {
        var dice = new Dice(number);
        if (lab.State.Workers.Count < Workers)
        {
            Worker(lab, dice);
            return;
        }

        switch (dice.Roll(12))
        {
            case 0 or 1 when lab.State.Jobs.Ascending().Count(job => job.IsLive && job.Terms.HasGangs) < 5:
                var submit = Submit(lab, dice);
                var terms = submit.Terms with { Replicas = 2 + dice.Roll(2), SliceSize = 1, Coscheduled = true, Shape = new ResourceShape { CpuMillis = 500, MemoryBytes = 1 }, FailureRetries = dice.Roll(4), SchedulingTimeout = 0 };
                lab.Apply(submit with { Terms = terms });
                break;
            case 2 or 3 or 4 when Any(lab.State.Jobs.Ascending().Where(job => job is { IsLive: true, Stopping: false, Terms.HasGangs: true, Waiting: > 0 }), dice) is { } gang:
                lab.Apply(new ClusterInput.PlaceGang(gang.Uid, 0, [.. Enumerable.Range(0, gang.Terms.GangSize).Select(_ => Any(lab.State.Workers.Ascending(), dice)!.Uid)]));
                break;
            case 5 or 6 or 7 or 8 when Any(lab.State.Attempts.Ascending().Where(attempt => !attempt.Dead), dice) is { } attempt:
                var (phase, outcome) = dice.Roll(4) switch
                {
                    0 => (AttemptPhase.Running, null),
                    1 => (AttemptPhase.Ended, MachineLab.Exit(1)),
                    _ => (AttemptPhase.Ended, MachineLab.Success),
                };
                var worker = lab.State.Workers.Find(attempt.WorkerUid)!;
                lab.Apply(new ClusterInput.Observe(worker.Uid, worker.Incarnation, MachineLab.Seen(attempt.Fence, phase, outcome), []));
                break;
            case 9:
                lab.Now += dice.Roll(30_000);
                break;
            case 10:
                Preempt(lab, dice);
                break;
            default:
                Make(lab, dice.Roll(int.MaxValue));
                break;
        }
    }

    private static ClusterInput.SubmitJob Submit(MachineLab lab, Dice dice)
    {
        var parent = dice.Roll(2) == 0 ? Any(lab.State.Attempts.Ascending(), dice) : null;
        var name = $"j{dice.Roll(6)}";
        var id = parent is null ? $"{name}-{dice.Roll(1000):x8}" : $"{lab.State.Jobs.Find(parent.JobUid)!.Id}/{name}";
        var slice = dice.Roll(6) == 0 ? 2 : 1;
        return new ClusterInput.SubmitJob(
            JobId.TryParse(id, out var parsed) ? parsed : JobId.Parse(name),
            $"request {dice.Roll(500)}",
            Namespace.Default,
            new JobTerms
            {
                Name = name,
                Replicas = slice * (1 + dice.Roll(3)),
                SliceSize = slice,
                Coscheduled = dice.Roll(4) == 0,
                Exclusive = dice.Roll(5) == 0,
                Shape = new ResourceShape { CpuMillis = 500 * (1 + dice.Roll(3)), MemoryBytes = 1, Gpus = dice.Roll(3), GpuVariant = "auto" },
                FailureRetries = dice.Roll(3),
                LossRetries = dice.Roll(3),
                SchedulingTimeout = dice.Roll(4) == 0 ? 5_000 : 0,
                ExecutionTimeout = dice.Roll(4) == 0 ? 5_000 : 0,
                KeepChildren = dice.Roll(2) == 0,
                Priority = dice.Roll(4) switch
                {
                    0 => JobPriority.Batch,
                    1 => JobPriority.Production,
                    2 => JobPriority.Interactive,
                    _ => null,
                },
            },
            Request: default,
            Trace: default,
            parent?.Fence ?? default);
    }

    private static void Place(MachineLab lab, Dice dice)
    {
        // Several at once, of which some can no longer be right.
        var placements = Enumerable.Range(0, 1 + dice.Roll(3))
            .Select(_ => (Job: Any(lab.State.Jobs.Descending().Take(8), dice), Worker: Any(lab.State.Workers.Ascending(), dice)))
            .Where(pair => pair.Job is not null && pair.Worker is not null)
            .Select(pair => new Placement(pair.Job!.Uid, dice.Roll(pair.Job.Terms.Replicas + 1), pair.Worker!.Uid));
        lab.Apply(new ClusterInput.Place([.. placements]));
        if (Any(lab.State.Jobs.Descending().Take(12).Where(job => job.Terms.HasGangs), dice) is { } gang && lab.State.Workers.Count > 0)
        {
            // Sometimes one member too few.
            var members = gang.Terms.GangSize - (dice.Roll(8) == 0 ? 1 : 0);
            var first = gang.Terms.GangSize * dice.Roll(gang.Terms.Replicas / gang.Terms.GangSize);
            lab.Apply(new ClusterInput.PlaceGang(gang.Uid, first, [.. Enumerable.Range(0, members).Select(_ => Any(lab.State.Workers.Ascending(), dice)!.Uid)]));
        }
    }

    private static void Observe(MachineLab lab, Dice dice, AttemptPhase phase)
    {
        if (Any(lab.State.Attempts.Descending().Take(12), dice) is not { } attempt || lab.State.Workers.Find(attempt.WorkerUid) is not { } worker)
        {
            return;
        }

        var outcome = phase != AttemptPhase.Ended ? null : dice.Roll(6) switch
        {
            0 or 1 or 2 => MachineLab.Success,
            3 => MachineLab.Exit(1),
            4 => MachineLab.Failure(new JobFailure(FailureKind.WorkerFault, "no runtime")),
            _ => null,
        };
        var incarnation = worker.Incarnation - (dice.Roll(10) == 0 ? 1UL : 0);
        var missing = dice.Roll(10) == 0;
        lab.Apply(new ClusterInput.Observe(worker.Uid, incarnation, missing ? [] : MachineLab.Seen(attempt.Fence, phase, outcome), missing ? [attempt.Fence] : []));
    }

    private static void Worker(MachineLab lab, Dice dice)
    {
        var id = WorkerId.Parse($"w{dice.Roll(Workers)}");
        var known = lab.Worker(id.ToString());
        var holds = known is null || dice.Roll(2) == 0 ? [] : known.Held.Where(_ => dice.Roll(3) > 0);
        switch (known is null ? 0 : dice.Roll(3))
        {
            case 0:
                var traits = known?.Traits ?? new WorkerTraits { Capacity = new ResourceShape { CpuMillis = 3_000, MemoryBytes = 1L << 30, Gpus = 4, GpuVariant = "h100" }, MaxConcurrentJobs = 4 };
                var incarnation = (known?.Incarnation ?? 1) + (ulong)dice.Roll(2);
                lab.Apply(new ClusterInput.Hello(id, incarnation, traits, [.. holds.Select(fence => new Observation(fence, dice.Roll(2) == 0 ? AttemptPhase.Running : AttemptPhase.Ended))]));
                break;
            case 1:
                lab.Apply(new ClusterInput.Silence(known!.Uid, known.Incarnation, WorkerEvent.Silent));
                break;
            default:
                lab.Apply(new ClusterInput.Silence(known!.Uid, known.Incarnation, WorkerEvent.SilentForLong));
                break;
        }
    }

    /// <summary>A job that waits wants the room of others; not all of them have to give way.</summary>
    private static void Preempt(MachineLab lab, Dice dice)
    {
        if (Any(lab.State.Jobs.Descending().Take(12).Where(job => job.Waiting > 0), dice) is not { } job)
        {
            return;
        }

        var before = lab.State;
        var victims = dice.Roll(2) == 0
            ? before.Attempts.Ascending().Where(attempt => attempt.IsLive)
            : Enumerable.Range(0, 1 + dice.Roll(3)).Select(_ => Any(before.Attempts.Descending().Take(12), dice)).OfType<AttemptRecord>();
        lab.Apply(new ClusterInput.Preempt(job.Uid, [.. victims.Select(victim => victim.Fence)]));
        foreach (var attempt in lab.State.Attempts.Ascending().Where(attempt => attempt.StopCause is not null && before.Attempt(attempt.Fence) is { StopCause: null }))
        {
            var victim = before.Jobs.Find(attempt.JobUid)!;
            Assert.True(attempt.IsLive && victim.Terms.Priority < job.Terms.Priority, $"{victim.Id} ({victim.Terms.Priority}) had to give way to {job.Id} ({job.Terms.Priority}).");
        }
    }

    private static void Administer(MachineLab lab, Dice dice)
    {
        switch (dice.Roll(6))
        {
            case 0 or 1 when Any(lab.State.Workers.Ascending(), dice) is { } worker:
                lab.Apply(new ClusterInput.DrainWorker(worker.Uid, Now: dice.Roll(2) == 0));
                break;
            case 2:
                lab.Apply(new ClusterInput.RevokeTokens(Namespace.Default));
                break;
            case 3:
                lab.Apply(new ClusterInput.AdoptWorkers($"other {dice.Roll(3)}", lab.State.Meta.Epoch + dice.Roll(2), lab.State.Meta.NextAttempt + dice.Roll(3)));
                break;
            case 4:
                lab.Restart();
                break;
        }
    }

    private static void Stop(MachineLab lab, Dice dice)
    {
        if (dice.Roll(20) == 0)
        {
            lab.Apply(new ClusterInput.StopAll(KillCause.Shutdown));
        }
        else if (dice.Roll(10) == 0)
        {
            lab.Apply(new ClusterInput.ArchiveJobs(dice.Roll(6), 1000 * dice.Roll(60)));
        }
        else if (dice.Roll(6) == 0)
        {
            lab.Apply(new ClusterInput.TerminateUnknown(JobId.Parse($"j{dice.Roll(6)}-{dice.Roll(1000):x8}"), dice.Roll(2) == 0 ? null : Namespace.Default));
        }
        else if (dice.Roll(8) == 0 && Any(lab.State.Jobs.Ascending(), dice) is { } root)
        {
            lab.Apply(new ClusterInput.StopWithin(root.Id.Parent ?? root.Id, dice.Roll(2) == 0 ? null : Namespace.Default, KillCause.User));
        }
        else if (Any(lab.State.Jobs.Ascending(), dice) is { } job)
        {
            lab.Apply(new ClusterInput.TerminateJob(job.Uid, KillCause.User));
        }
    }

    private static void Endpoint(MachineLab lab, Dice dice)
    {
        if (dice.Roll(3) == 0)
        {
            Registration(lab, dice);
            return;
        }

        if (Any(lab.State.Attempts.Descending().Take(5), dice) is { } owner)
        {
            lab.Apply(new ClusterInput.RegisterEndpoint(EndpointId.Parse($"e{dice.Roll(20)}"), Namespace.Default, $"n{dice.Roll(3)}", "host:1", [], new EndpointOwner(owner.Fence)));
        }
    }

    private static void Registration(MachineLab lab, Dice dice)
    {
        var id = RegistrationId.Parse($"r{dice.Roll(6)}");
        var known = lab.State.Registrations.Ascending().FirstOrDefault(registration => registration.Id == id);
        switch (known is null ? 0 : dice.Roll(5))
        {
            case 0:
                lab.Apply(new ClusterInput.OpenRegistration(id, Namespace.Default));
                break;
            case 1:
                lab.Apply(new ClusterInput.HearRegistration(known!.Uid));
                break;
            case 2 when dice.Roll(3) == 0:
                lab.Apply(new ClusterInput.EndRegistration(known!.Uid, Lost: dice.Roll(2) == 0));
                lab.Now += dice.Roll(2) * 600_000;
                break;
            default:
                lab.Apply(new ClusterInput.RegisterEndpoint(EndpointId.Parse($"e{dice.Roll(20)}"), Namespace.Default, $"n{dice.Roll(3)}", "host:1", [], new EndpointOwner(default, id)));
                break;
        }
    }

    private static T? Any<T>(IEnumerable<T> items, Dice dice)
        where T : class
    {
        var all = items.ToList();
        return all.Count == 0 ? null : all[dice.Roll(all.Count)];
    }

    /// <summary>Numbers that follow from the first one.</summary>
    private sealed class Dice(int seed)
    {
        private ulong _state = (ulong)seed * 2 + 1;

        public int Roll(int sides)
        {
            _state = _state * 6364136223846793005 + 1442695040888963407;
            return (int)((_state >> 33) % (ulong)sides);
        }
    }
}
