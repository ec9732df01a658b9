using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>Silence of registrations is counted in ticks, like that of workers.</summary>
public class RegistrationLeasesTests
{
    private readonly RegistrationLeases _leases = new(new LeaseSettings(RegistrationLostAfter: 3));

    [Fact]
    public void Silent_IsLostAfterItsTicks_AndNamedUntilItHasEnded()
    {
        _leases.Heard(1);
        _leases.Heard(2);
        Assert.Empty(_leases.Tick());
        _leases.Heard(2);
        Assert.Empty(_leases.Tick());

        Assert.Equal([1], _leases.Tick());
        Assert.Equal([1, 2], _leases.Tick());
        _leases.Ended(1);
        Assert.Equal([2], _leases.Tick());
    }

    [Fact]
    public void Reset_EndThatWasNotKept_ComesAgain_AndSilenceStaysCounted()
    {
        _leases.Heard(1);
        _leases.Heard(2);
        _leases.Tick();
        _leases.Tick();
        _leases.Ended(1);

        _leases.Reset([1, 2]);

        Assert.Equal([2], _leases.Tick());
        _leases.Reset([1]);
        _leases.Tick();
        Assert.Equal([1], _leases.Tick());
    }
}
