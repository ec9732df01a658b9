using Fluster.Cluster;
using Fluster.Controller;
using FsCheck;
using FsCheck.Fluent;

namespace Fluster.Tests;

/// <summary>
/// Random lives of a cluster: whatever happens in whatever order, the invariants hold after every step (<see cref="MachineLab"/> checks them).
/// </summary>
public class MachineProperties
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

    private static void Check(Action<int[]> property) => Prop
        .ForAll(Gen.Choose(0, int.MaxValue - 1).ArrayOf(Moves).ToArbitrary(), property)
        .Check(Config.QuickThrowOnFailure.WithMaxTest(40));
}
