using System.Globalization;

namespace Aspire.Hosting.Dashboard;

/// <summary>Times and durations of telemetry, in nanoseconds.</summary>
internal static class Instant
{
    private const ulong PerTick = 100;

    public static DateTimeOffset Time(ulong nanoseconds) =>
        nanoseconds / PerTick < (ulong)(DateTimeOffset.MaxValue - DateTimeOffset.UnixEpoch).Ticks ? DateTimeOffset.UnixEpoch.AddTicks((long)(nanoseconds / PerTick)) : DateTimeOffset.MaxValue;

    /// <summary>"1.23 s", "45.6 ms", "7 µs".</summary>
    public static string Duration(ulong start, ulong end)
    {
        var nanoseconds = end > start ? end - start : 0;
        return nanoseconds switch
        {
            >= 60_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 60_000_000_000} min {nanoseconds / 1e9 % 60:0} s"),
            >= 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 1e9:0.##} s"),
            >= 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 1e6:0.##} ms"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 1e3:0.#} µs"),
        };
    }
}
