using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>A large job that has waited for long gets room kept for it; nobody else is held up by that without need.</summary>
public class SchedulerReservationTests
{
    private const long Minute = 60_000;

    private readonly SchedulerLab _lab = new();

    [Fact]
    public void BigJob_AfterFiveMinutes_KeepsTheWorkerFromThoseWhoStayLonger()
    {
        _lab.Worker("w1", cpu: 4);
        Busy("a", "w1", 1, minutes: 10);
        _lab.Submit("big", 4);
        _lab.Machine.Now += SchedulingPass.Patience - 1;
        _lab.Submit("endless", 1);
        _lab.Submit("longer", 1, Minutes(6));
        _lab.Submit("shorter", 1, Minutes(5));
        Assert.Equal(["endless on w1", "longer on w1", "shorter on w1"], _lab.Plan());

        _lab.Machine.Now += 1;

        Assert.Equal(["shorter on w1"], _lab.Plan());
    }

    [Fact]
    public void BigJob_KeepsOnlyTheWorkerWhereItFitsFirst()
    {
        _lab.Worker("late", cpu: 4);
        _lab.Worker("early", cpu: 4);
        _lab.Worker("never", cpu: 4);
        Busy("a", "late", 1, minutes: 60);
        Busy("b", "early", 1, minutes: 20);
        Busy("c", "never", 1, minutes: 0);
        _lab.Submit("big", 4);
        _lab.Machine.Now += SchedulingPass.Patience;
        for (var i = 0; i < 6; i++)
        {
            _lab.Submit($"small{i}", 1);
        }

        Assert.All(_lab.Plan(), text => Assert.DoesNotContain("early", text, StringComparison.Ordinal));
        Assert.Equal(6, _lab.Plan().Count);
    }

    [Fact]
    public void HigherPriorities_AndChildren_AreNotHeldUp_LowerOnesAre()
    {
        _lab.Worker("w1", cpu: 8);
        Busy("parent", "w1", 1, minutes: 0);
        _lab.Submit("big", 8);
        _lab.Machine.Now += SchedulingPass.Patience;
        _lab.Submit("urgent", 1, terms => terms with { Priority = JobPriority.Production });
        _lab.Submit("parent/child", 1, by: _lab.Attempt("parent").Fence);
        _lab.Submit("same", 1);
        _lab.Submit("batch", 1, terms => terms with { Priority = JobPriority.Batch });

        Assert.Equal(["urgent on w1", "parent/child on w1"], _lab.Plan());
    }

    [Fact]
    public void JobThatFitsNowhere_KeepsNothing_TheNextOneDoes()
    {
        _lab.Worker("w1", cpu: 4);
        _lab.Worker("w2", cpu: 2);
        Busy("a", "w1", 1, minutes: 10);
        _lab.Submit("impossible", 64);
        _lab.Submit("big", 4);
        _lab.Machine.Now += SchedulingPass.Patience;
        _lab.Submit("small", 2);
        _lab.Submit("small2", 2);

        Assert.Equal(["small on w2"], _lab.Plan());
    }

    [Fact]
    public void Gang_KeepsAsManyWorkersAsItNeeds()
    {
        foreach (var i in (int[])[1, 2, 3])
        {
            _lab.Worker($"w{i}", cpu: 2);
            Busy($"a{i}", $"w{i}", 1, minutes: 10 * i);
        }

        _lab.Submit("gang", 2, terms => terms with { Replicas = 2, Coscheduled = true });
        _lab.Machine.Now += SchedulingPass.Patience;
        foreach (var i in (int[])[1, 2, 3])
        {
            _lab.Submit($"small{i}", 1);
        }

        Assert.Equal(["small1 on w3"], _lab.Plan());
    }

    /// <summary>Small jobs come faster than they end, for ever; the large one gets its turn all the same.</summary>
    [Fact]
    public void SmallJobsWithoutEnd_DoNotStarveALargeOne()
    {
        _lab.Worker("w1", cpu: 4);
        var ends = new List<(string Job, long At)>();
        var placedAt = -1;
        for (var minute = 0; minute < 12 && placedAt < 0; minute++)
        {
            foreach (var (job, _) in ends.Where(end => end.At <= _lab.Machine.Now).ToArray())
            {
                _lab.End(job, MachineLab.Success);
            }

            ends.RemoveAll(end => end.At <= _lab.Machine.Now);
            _lab.Submit($"small{minute}a", 1, Minutes(3));
            _lab.Submit($"small{minute}b", 1, Minutes(3));
            if (minute == 1)
            {
                _lab.Submit("big", 4);
            }

            foreach (var text in _lab.PlanAndPlace())
            {
                var job = text.Split(' ')[0];
                ends.Add((job, _lab.Machine.Now + (3 * Minute)));
                placedAt = job == "big" ? minute : placedAt;
            }

            _lab.Machine.Now += Minute;
        }

        Assert.InRange(placedAt, 6, 10); // five minutes of patience, then at most three until what runs has ended
    }

    private static Func<JobTerms, JobTerms> Minutes(int minutes) => terms => terms with { ExecutionTimeout = minutes * Minute };

    private void Busy(string job, string worker, long cpu, int minutes)
    {
        _lab.Submit(job, cpu, Minutes(minutes));
        _lab.Place(job, worker);
        _lab.Machine.Apply(new ClusterInput.Observe(_lab.Attempt(job).WorkerUid, 1, MachineLab.Seen(_lab.Attempt(job).Fence, AttemptPhase.Running), []));
    }
}
