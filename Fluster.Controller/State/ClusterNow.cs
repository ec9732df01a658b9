namespace Fluster.Controller;

/// <summary>The two times that come with every input.</summary>
/// <param name="Time">
/// Cluster time in milliseconds: it follows the monotonic clock, never goes back and continues over restarts. Everything that is due
/// is due in it.
/// </param>
/// <param name="Wall">Milliseconds since 1970 (UTC), only for people to read.</param>
internal readonly record struct ClusterNow(long Time, long Wall);
