namespace Fluster.Benchmarks;

/// <summary>One question, answered by its cases.</summary>
internal abstract class Benchmark
{
    /// <summary>As on the command line.</summary>
    public abstract string Name { get; }

    /// <summary>Variables that the runtime reads only at its start; the runner sees to it that they are set.</summary>
    public virtual IReadOnlyDictionary<string, string> Environment => new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Runs the cases that <paramref name="wanted"/> accepts and yields each when it is done.</summary>
    public abstract IAsyncEnumerable<BenchmarkResult> RunAsync(Func<string, bool> wanted, CancellationToken cancellationToken);

    /// <summary>The other process of a benchmark that needs one: runs until <paramref name="cancellationToken"/> or the end of standard input.</summary>
    public virtual Task ServeAsync(string role, CancellationToken cancellationToken) =>
        throw new NotSupportedException($"{Name} has no role '{role}'.");
}
