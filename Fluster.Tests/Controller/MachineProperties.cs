using Fluster.Cluster;
using Fluster.Controller;
using FsCheck;
using FsCheck.Fluent;
using Xunit.Abstractions;

namespace Fluster.Tests;

/// <summary>
/// Random lives of a cluster: whatever happens in whatever order, the invariants hold after every step (<see cref="MachineLab"/> checks them).
/// </summary>
public class MachineProperties(ITestOutputHelper output)
{
    private const int Moves = 150;

    [Fact]
    public void AnySequenceOfInputs_KeepsTheInvariants() => Check(moves =>
    {
        var lab = new MachineLab();
        foreach (var move in moves)
        {
            RandomMoves.Make(lab, move);
        }
    });

    [Fact]
    public void AnySequenceOfInputs_ThenWorkersThatReportEveryEnd_GivesAllCapacityBack() => Check(moves =>
    {
        var lab = new MachineLab();
        foreach (var move in moves)
        {
            RandomMoves.Make(lab, move);
        }

        lab.Apply(new ClusterInput.StopAll(KillCause.Shutdown));
        lab.GoOnToTheEnd();
        foreach (var worker in lab.State.Workers.Ascending())
        {
            lab.Apply(new ClusterInput.Hello(worker.Id, worker.Incarnation + 1, worker.Traits, []));
            lab.GoOnToTheEnd();
        }

        Assert.All(lab.State.Jobs.Ascending(), job => Assert.False(job.IsLive, $"{job.Id} is {job.State}"));
        Assert.All(lab.State.Workers.Ascending(), worker => Assert.Equal((0, default), (worker.Held.Length, worker.Used)));
        Assert.All(lab.State.Endpoints.All, endpoint => Assert.NotNull(endpoint.Owner.Registration));
        foreach (var registration in lab.State.Registrations.Ascending())
        {
            lab.Apply(new ClusterInput.EndRegistration(registration.Uid, Lost: true));
        }

        Assert.Equal(0, lab.State.Endpoints.Count);
    });

    /// <summary>What a job came to follows from its tasks, and from what was asked of it.</summary>
    [Fact]
    public void State_FollowsFromTheTasks() => Check(moves =>
    {
        var lab = new MachineLab();
        foreach (var move in moves)
        {
            RandomMoves.Make(lab, move);
        }

        foreach (var job in lab.State.Jobs.Ascending().Where(job => !job.IsLive))
        {
            var tasks = Enumerable.Range(0, job.Terms.Replicas).Select(index => lab.State.TaskOf(job, index)).ToList();
            Assert.True(
                job.State switch
                {
                    JobState.Succeeded => tasks.TrueForAll(task => task is { State: JobState.Succeeded }),
                    JobState.Failed => tasks.Exists(task => task is { State: JobState.Failed } && (task.Failures > job.Terms.FailureRetries || task.FreeInARow >= Failures.MostFreeRetries)),
                    JobState.WorkerFailed => tasks.Exists(task => task is { State: JobState.WorkerFailed } && task.Losses > job.Terms.LossRetries),
                    JobState.Unschedulable => job.Terms.SchedulingTimeout > 0,
                    _ => job is { State: JobState.Killed, Failure.KilledBy: KillCause.User or KillCause.Parent or KillCause.Shutdown },
                },
                $"{job.Id} is {job.State} ({job.Failure?.Message}): {string.Join(", ", tasks)}");
        }
    });

    /// <summary>A generation follows only one that fell, all members are in it, and each that fell counts once for every member.</summary>
    [Fact]
    public void Gangs_HaveGenerations()
    {
        var (again, preempted) = (0, 0);
        Check(
            moves =>
            {
                var lab = new MachineLab();
                foreach (var move in moves)
                {
                    RandomMoves.MakeForGangs(lab, move);
                }

                preempted += lab.State.Attempts.Ascending().Count(attempt => attempt.StopCause == KillCause.Preemption);
                foreach (var job in lab.State.Jobs.Ascending().Where(job => job.Terms.HasGangs))
                {
                    for (var first = 0; first < job.Terms.Replicas && lab.State.TaskOf(job, first) is { } leader; first += job.Terms.GangSize)
                    {
                        var fell = Enumerable.Range(0, leader.Attempts.Length).Count(generation => Fell(lab.State, job, first, generation));
                        again += leader.Attempts.Length - 1;
                        Assert.True(leader.Attempts.Length - 1 <= fell, $"{job.Id} has {leader.Attempts.Length} generations, of which {fell} fell.");
                        Assert.True(leader.Failures + leader.Losses <= fell, $"{job.Id} counts {leader.Failures} failures and {leader.Losses} losses in {fell} generations that fell.");
                    }
                }
            },
            Moves * 2);
        output.WriteLine($"{again} generations followed another, {preempted} attempts were preempted");
        Assert.True(again > 0 && preempted > 0, $"{again} generations followed another, and {preempted} attempts were preempted: the moves do not try what they should.");
    }

    [Fact]
    public void Retries_AreAtMostTheBudget() => Check(moves =>
    {
        var lab = new MachineLab();
        foreach (var move in moves)
        {
            RandomMoves.Make(lab, move);
        }

        foreach (var job in lab.State.Jobs.Ascending())
        {
            for (var index = 0; index < job.Terms.Replicas; index++)
            {
                if (lab.State.TaskOf(job, index) is { } task)
                {
                    Assert.True(task.Failures <= job.Terms.FailureRetries + 1 && task.Losses <= job.Terms.LossRetries + 1 && task.FreeInARow <= Failures.MostFreeRetries + 1, $"{job.Id}: {task}");
                }
            }
        }
    });

    [Fact]
    public void AnySequenceOfInputs_ThenWorkersThatStartAgain_LeavesNothingThatCanNeverBePlaced() => Check(moves =>
    {
        var lab = new MachineLab();
        foreach (var move in moves)
        {
            RandomMoves.Make(lab, move);
        }

        foreach (var worker in lab.State.Workers.Ascending())
        {
            lab.Apply(new ClusterInput.Hello(worker.Id, worker.Incarnation + 1, worker.Traits, []));
        }

        lab.GoOnToTheEnd();
        foreach (var job in lab.State.Jobs.Ascending().Where(job => job.IsLive))
        {
            for (var index = 0; index < job.Terms.Replicas; index++)
            {
                var task = lab.State.TaskOf(job, index);
                Assert.True(task is null or { State: JobState.Pending or JobState.Succeeded }, $"{job.Id}: {task}");
                Assert.True(task is { State: JobState.Succeeded } or { LiveChildren: > 0 } || Readiness.Of(lab.State, job, index) < long.MaxValue, $"{job.Id} waits for ever: {task}");
            }
        }
    });

    private static bool Fell(ClusterState state, JobRecord job, int first, int generation) => Enumerable.Range(first, job.Terms.GangSize)
        .Any(index => state.Attempt(state.TaskOf(job, index)!.Attempts[generation]) is { IsLive: false, State: not JobState.Succeeded });

    private static void Check(Action<int[]> property, int moves = Moves) => Prop
        .ForAll(Gen.Choose(0, int.MaxValue - 1).ArrayOf(moves).ToArbitrary(), property)
        .Check(Config.QuickThrowOnFailure.WithMaxTest(40));
}
