using Fluster.Worker;

namespace Fluster.Tests;

/// <summary>A worker that a backend made does not stay for ever when its controller is gone.</summary>
public class OrphanWatchTests
{
    private readonly SimulatedTime _time = new();

    [Fact]
    public void Worker_WithoutAControllerForTheTimeout_IsAnOrphan()
    {
        var watch = Watch();
        Wait(29);
        Assert.False(watch.IsOrphan);
        watch.Linked();
        Wait(600);
        Assert.False(watch.IsOrphan);
        watch.Unlinked(refused: false);
        Wait(29);
        Assert.False(watch.IsOrphan);
        Wait(1);
        Assert.True(watch.IsOrphan);
        watch.Linked();
        Assert.False(watch.IsOrphan);
    }

    [Fact]
    public void ControllerThatIsRefused_OrRefuses_IsNone()
    {
        var watch = Watch();
        for (var minute = 0; minute < 30; minute++)
        {
            watch.Linked();
            watch.Unlinked(refused: true); // another cluster's
            watch.Unlinked(refused: false); // never let in
            Assert.False(watch.IsOrphan);
            Wait(1);
        }

        Assert.True(watch.IsOrphan);
    }

    [Fact]
    public void Worker_ThatSomebodyStarted_WaitsForEver()
    {
        var watch = new OrphanWatch(null, _time);
        Wait(100_000);
        Assert.False(watch.IsOrphan);
    }

    private OrphanWatch Watch() => new(TimeSpan.FromMinutes(30), _time);

    private void Wait(int minutes) => _time.Now += minutes * 60_000L;
}
