using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>Silence is counted in ticks, and only by the frames of the current incarnation.</summary>
public class LeaseTrackerTests
{
    private readonly LeaseTracker _leases = new(new LeaseSettings(SuspectAfter: 3, LostAfter: 6));

    [Fact]
    public void SilentWorker_IsSuspectThenLost()
    {
        _leases.Heard(1, 1);

        var told = Ticks(7);

        Assert.Equal(["3: 1 Silent", "6: 1 SilentForLong"], told);
    }

    [Fact]
    public void HeardWorker_StartsAnew()
    {
        _leases.Heard(1, 1);
        Ticks(2);
        _leases.Heard(1, 1);

        Assert.Empty(Ticks(2));
    }

    [Fact]
    public void FrameOfAnOlderIncarnation_RenewsNothing()
    {
        _leases.Heard(1, 2);
        Ticks(2);
        _leases.Heard(1, 1);

        Assert.Equal(["1: 1 Silent"], Ticks(1));
    }

    [Fact]
    public void MoreThanHalfSilentAtOnce_AreGivenUpFourTimesAsLate()
    {
        for (var uid = 1; uid <= 3; uid++)
        {
            _leases.Heard(uid, 1);
        }

        var told = new List<string>();
        for (var tick = 1; tick <= 24; tick++)
        {
            _leases.Heard(3, 1);
            told.AddRange(_leases.Tick().Where(silence => silence.Event == WorkerEvent.SilentForLong).Select(silence => $"{tick}: {silence.WorkerUid}"));
            Assert.Equal(tick >= 3, _leases.MassSilence);
        }

        Assert.Equal(["24: 1", "24: 2"], told);
    }

    [Fact]
    public void OneOfThreeSilent_IsGivenUpInTime()
    {
        for (var uid = 1; uid <= 3; uid++)
        {
            _leases.Heard(uid, 1);
        }

        var told = new List<string>();
        for (var tick = 1; tick <= 6; tick++)
        {
            _leases.Heard(2, 1);
            _leases.Heard(3, 1);
            told.AddRange(_leases.Tick().Select(silence => $"{tick}: {silence.WorkerUid} {silence.Event}"));
        }

        Assert.Equal(["3: 1 Silent", "6: 1 SilentForLong"], told);
    }

    /// <summary>A batch that could not be written took the news with it: they come again.</summary>
    [Fact]
    public void LostWorker_IsToldAgain()
    {
        _leases.Heard(1, 1);

        Assert.Equal(["3: 1 Silent", "6: 1 SilentForLong", "10: 1 SilentForLong", "20: 1 SilentForLong"], Ticks(20));
    }

    private List<string> Ticks(int count)
    {
        var told = new List<string>();
        for (var tick = 1; tick <= count; tick++)
        {
            told.AddRange(_leases.Tick().Select(silence => $"{tick}: {silence.WorkerUid} {silence.Event}"));
        }

        return told;
    }
}
