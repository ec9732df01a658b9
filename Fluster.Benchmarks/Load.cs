using System.Diagnostics;

namespace Fluster.Benchmarks;

/// <summary>Closed-loop load and the statistics of it.</summary>
internal static class Load
{
    /// <summary>Keeps <paramref name="inFlight"/> calls going for <paramref name="duration"/>.</summary>
    public static async Task<double> CallsPerSecondAsync(Func<Task> call, int inFlight, TimeSpan duration, CancellationToken cancellationToken)
    {
        var calls = 0L;
        var start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, inFlight).Select(_ => Task.Run(CallerAsync, cancellationToken)));
        return calls / Stopwatch.GetElapsedTime(start).TotalSeconds;

        async Task CallerAsync()
        {
            var done = 0L;
            while (Stopwatch.GetElapsedTime(start) < duration)
            {
                cancellationToken.ThrowIfCancellationRequested();
                await call();
                done++;
            }

            Interlocked.Add(ref calls, done);
        }
    }

    public static double Median(IEnumerable<double> values) => Percentile(values, 50);

    /// <summary>The smallest value that at least <paramref name="percent"/> of 100 values do not exceed.</summary>
    public static double Percentile(IEnumerable<double> values, double percent)
    {
        var sorted = values.Order().ToArray();
        return sorted[Math.Max(0, (int)Math.Ceiling(sorted.Length * percent / 100) - 1)];
    }
}
