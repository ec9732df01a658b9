using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>A registration ends when it was silent for its ticks: not before, and not much later while the controller can count.</summary>
internal sealed class RegistrationChecks(SimulatedWorld world)
{
    /// <summary>A pass comes at least once a second. After a longer pause the ticks in it were not counted.</summary>
    private const long LongestPause = 1_100;

    /// <summary>Ticks that it may take longer: commits that find no room, and what rounding adds.</summary>
    private const int Slack = 7;

    private readonly Dictionary<long, long> _heard = [];
    private long _lastPass;
    private long _countsSince;

    public void Restarted() => (_lastPass, _countsSince) = (world.Time.Now, world.Time.Now);

    public void PassBegins()
    {
        if (world.Time.Now - _lastPass > LongestPause)
        {
            _countsSince = world.Time.Now;
        }

        _lastPass = world.Time.Now;
    }

    public void PassEnded()
    {
        if (world.Time.Now - _lastPass > LongestPause)
        {
            _countsSince = world.Time.Now;
        }
    }

    /// <summary>A step is over.</summary>
    public void Stepped(ClusterView view, ClusterInput input, StepResult result)
    {
        switch (input)
        {
            case ClusterInput.OpenRegistration or ClusterInput.HearRegistration:
                _heard[result.Subject] = world.Time.Now;
                break;
            case ClusterInput.EndRegistration { Lost: true } end when view.Registration(end.RegistrationUid) is { Ended: false } registration:
                var silent = world.Time.Now - HeardOf(end.RegistrationUid);
                Require(silent >= (SimulatedController.Leases.RegistrationLostAfter - 2) * 1000L, $"Registration {registration.Id} was given up after {silent} ms.");
                break;
        }
    }

    public void AfterCommit(ClusterState state)
    {
        foreach (var registration in state.Registrations.Ascending())
        {
            if (!registration.Ended)
            {
                var silent = _lastPass - Math.Max(HeardOf(registration.Uid), _countsSince); // the commit itself may have taken long
                Require(silent <= (SimulatedController.Leases.RegistrationLostAfter + Slack) * 1000L, $"Registration {registration.Id} is still live after {silent} ms of silence.");
            }
        }
    }

    private long HeardOf(long uid) => _heard.GetValueOrDefault(uid);

    private static void Require(bool condition, string why)
    {
        if (!condition)
        {
            throw new InvariantViolatedException(why);
        }
    }
}
