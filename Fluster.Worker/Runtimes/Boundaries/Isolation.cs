using System.Runtime.Versioning;

namespace Fluster.Worker;

/// <summary>How this worker holds attempts together: the best way that works on this machine, found by trying.</summary>
/// <param name="Mode">The way.</param>
/// <param name="Ward">What is found again by it.</param>
internal sealed record Isolation(IsolationMode Mode, Ward Ward)
{
    /// <summary>The name in health and capabilities.</summary>
    public string Name => Mode switch
    {
        IsolationMode.Cgroup2 => "cgroup2",
        IsolationMode.Cgroup1 => "cgroup1",
        _ => "marker",
    };

    [SupportedOSPlatform("linux")]
    public AttemptBoundary CreateBoundary(Fence fence, Func<int?> launcher) => Mode == IsolationMode.Marker
        ? new MarkerBoundary(Ward, fence, launcher)
        : CgroupBoundary.Create(Mode, Path.Combine(Ward.CgroupDirectory, fence.ToString()));

    /// <summary>The ways to try, best first. Each has its directory, in which a group can be made; the caller sees whether a process can be put there.</summary>
    /// <param name="wardId">Names the worker's own group.</param>
    /// <param name="wanted">Only this way, or null for all.</param>
    [SupportedOSPlatform("linux")]
    public static IEnumerable<Isolation> Candidates(string wardId, IsolationMode? wanted)
    {
        foreach (var mode in (IsolationMode[])[IsolationMode.Cgroup2, IsolationMode.Cgroup1])
        {
            if ((wanted ?? mode) == mode && CgroupMount.FindOwnGroup(mode) is { } own && TryCreate(Path.Combine(own, $"fluster-{wardId}")) is { } directory)
            {
                yield return new Isolation(mode, new Ward(wardId, directory));
            }
        }

        if ((wanted ?? IsolationMode.Marker) == IsolationMode.Marker)
        {
            yield return new Isolation(IsolationMode.Marker, new Ward(wardId, ""));
        }
    }

    private static string? TryCreate(string directory)
    {
        try
        {
            Directory.CreateDirectory(directory);
            return directory;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
