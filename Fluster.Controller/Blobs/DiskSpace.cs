namespace Fluster.Controller;

/// <summary>
/// Watches the room on the disk of the data directory. Below the reserve (1 GiB) or 5 % there are no new jobs, so that what has happened can
/// still be written.
/// </summary>
/// <param name="directory">On the disk in question.</param>
/// <param name="reserve">Bytes; 0: neither it nor the percentage counts.</param>
/// <param name="time">The clock.</param>
internal sealed class DiskSpace(string directory, long reserve, TimeProvider time)
{
    private const int LeastPercent = 5;

    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private long? _lookedAt;
    private bool _short;

    public bool IsShort
    {
        get
        {
            lock (_gate)
            {
                if (_lookedAt is null || time.GetElapsedTime(_lookedAt.Value) >= s_interval)
                {
                    var drive = new DriveInfo(directory);
                    _short = reserve > 0 && (drive.AvailableFreeSpace < reserve || drive.AvailableFreeSpace < drive.TotalSize / 100 * LeastPercent);
                    _lookedAt = time.GetTimestamp();
                }

                return _short;
            }
        }
    }
}
