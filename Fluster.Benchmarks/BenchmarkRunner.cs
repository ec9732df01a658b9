using System.Diagnostics;

namespace Fluster.Benchmarks;

/// <summary>Runs benchmarks by name and prints a line of JSON per case. Exit code: 0 all limits kept, 1 some not, 2 wrong usage.</summary>
internal static class BenchmarkRunner
{
    public static async Task<int> RunAsync(string[] args, IReadOnlyList<Benchmark> benchmarks)
    {
        using var cancellation = new CancellationTokenSource();
        Console.CancelKeyPress += (_, e) =>
        {
            e.Cancel = true;
            cancellation.Cancel();
        };

        var benchmark = benchmarks.FirstOrDefault(candidate => candidate.Name == args.FirstOrDefault());
        switch (benchmark, args[1..Math.Max(1, args.Length)])
        {
            case ({ }, ["--serve", var role]):
                await benchmark.ServeAsync(role, cancellation.Token);
                return 0;

            case ({ }, [] or ["--case", _]):
                var wanted = args.ElementAtOrDefault(2);
                return HasEnvironment(benchmark)
                    ? await MeasureAsync(benchmark, wanted, cancellation.Token)
                    : await MeasureInChildAsync(benchmark, args, cancellation.Token);

            default:
                await Console.Error.WriteLineAsync(
                    $"usage: Fluster.Benchmarks NAME [--case TEXT]   (TEXT: part of a case's name)\nNAME: {string.Join(", ", benchmarks.Select(known => known.Name))}");
                return 2;
        }
    }

    private static async Task<int> MeasureAsync(Benchmark benchmark, string? wanted, CancellationToken cancellationToken)
    {
        var cases = 0;
        var allOk = true;
        await foreach (var result in benchmark.RunAsync(name => wanted is null || name.Contains(wanted, StringComparison.Ordinal), cancellationToken))
        {
            Console.WriteLine(result.ToJson());
            allOk &= result.Ok;
            cases++;
        }

        if (cases == 0)
        {
            await Console.Error.WriteLineAsync($"{benchmark.Name} has no case with '{wanted}' in its name.");
            return 2;
        }

        return allOk ? 0 : 1;
    }

    private static async Task<int> MeasureInChildAsync(Benchmark benchmark, string[] args, CancellationToken cancellationToken)
    {
        using var child = Process.Start(BenchmarkProcess.SelfWith(args, benchmark.Environment))
            ?? throw new InvalidOperationException("The benchmark did not start.");
        try
        {
            await child.WaitForExitAsync(cancellationToken);
            return child.ExitCode;
        }
        catch (OperationCanceledException)
        {
            child.Kill(entireProcessTree: true);
            throw;
        }
    }

    private static bool HasEnvironment(Benchmark benchmark) =>
#pragma warning disable RS0030 // Variables of the runtime itself, which is what is tuned here.
        benchmark.Environment.All(variable => Environment.GetEnvironmentVariable(variable.Key) == variable.Value);
#pragma warning restore RS0030
}
