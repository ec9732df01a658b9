using Fluster.Cluster;

namespace Fluster.Cli;

/// <summary>Says what a job waits for, once for every reason, when it waits long enough for somebody to wonder.</summary>
internal sealed class PendingNotice : IDisposable
{
    private readonly Lock _gate = new();
    private readonly JobId _job;
    private readonly ITimer _timer;
    private string? _reason;
    private string? _said;
    private bool _late;

    public PendingNotice(JobId job, TimeSpan patience)
    {
        _job = job;
        _timer = TimeProvider.System.CreateTimer(_ => Say(late: true), state: null, patience, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The job as it is now.</summary>
    public void Observe(JobStatus status)
    {
        lock (_gate)
        {
            _reason = status.State == JobState.Pending ? status.PendingReason : null;
        }

        Say(late: false);
    }

    public void Dispose() => _timer.Dispose();

    private void Say(bool late)
    {
        lock (_gate)
        {
            _late |= late;
            if (_late && !string.IsNullOrEmpty(_reason) && _reason != _said)
            {
                _said = _reason;
                Output.Note($"{_job} waits: {_reason}");
            }
        }
    }
}
