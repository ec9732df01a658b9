using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Fluster.Benchmarks;

/// <summary>How long small calls take, one after the other, while something else is under way in the same session: the "delay" is what they take longer than before.</summary>
internal static class CallDelays
{
    /// <summary>As long as an argument may be.</summary>
    private const int LargeBytes = 64 << 20;

    private const int ItemBytes = 64 << 10;
    private const double MostDelay = 10;

    private static readonly TimeSpan s_round = TimeSpan.FromSeconds(4);

    public static async IAsyncEnumerable<BenchmarkResult> RunAsync(
        string bench, IEchoActor actor, Func<string, bool> wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (wanted("slow-stream"))
        {
            var before = await TimesAsync(actor, until: null, cancellationToken);
            var stream = actor.Items(ItemBytes).GetAsyncEnumerator(cancellationToken);
            await stream.MoveNextAsync(); // and no more: the sender stops when the window is full
            var during = await TimesAsync(actor, until: null, cancellationToken);
            await stream.DisposeAsync();
            foreach (var result in Compare(bench, "slow-stream", before, during))
            {
                yield return result;
            }
        }

        if (wanted("large-argument"))
        {
            var large = new byte[LargeBytes];
            await actor.Length(large);
            var before = await TimesAsync(actor, until: null, cancellationToken);
            var sends = SendAsync();
            var during = await TimesAsync(actor, sends, cancellationToken);
            yield return BenchmarkResult.Reported(bench, "large-argument/sends", await sends, "calls of 64 MiB/s");
            foreach (var result in Compare(bench, "large-argument", before, during))
            {
                yield return result;
            }

            async Task<double> SendAsync()
            {
                var (start, calls) = (Stopwatch.GetTimestamp(), 0);
                for (; Stopwatch.GetElapsedTime(start) < s_round; calls++)
                {
                    await actor.Length(large);
                }

                return calls / Stopwatch.GetElapsedTime(start).TotalSeconds;
            }
        }
    }

    private static IEnumerable<BenchmarkResult> Compare(string bench, string @case, List<double> before, List<double> during)
    {
        foreach (var (name, percent) in new[] { ("p50", 50.0), ("p99", 99.0), ("max", 100.0) })
        {
            yield return BenchmarkResult.Reported(bench, $"{@case}/{name}", Load.Percentile(during, percent), "ms", Load.Percentile(before, percent));
        }

        // The longest of all is reported only: where others use the machine it is their doing.
        yield return BenchmarkResult.Under(bench, $"{@case}/delay", Load.Percentile(during, 99) - Load.Percentile(before, 99), "ms at p99", MostDelay);
    }

    private static async Task<List<double>> TimesAsync(IEchoActor actor, Task? until, CancellationToken cancellationToken)
    {
        var argument = new byte[16];
        var times = new List<double>();
        for (var begin = Stopwatch.GetTimestamp(); until is null ? Stopwatch.GetElapsedTime(begin) < s_round : !until.IsCompleted;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var start = Stopwatch.GetTimestamp();
            await actor.Echo(argument);
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        return times;
    }
}
