using System.Diagnostics;

namespace Fluster.Benchmarks;

/// <summary>The other side of a benchmark: this program again, with a role. It lives as long as its standard input.</summary>
internal sealed class BenchmarkProcess : IDisposable
{
    private readonly Process _process;

    private BenchmarkProcess(Process process, string firstLine)
    {
        _process = process;
        FirstLine = firstLine;
    }

    /// <summary>What the role printed when it was ready, such as its address.</summary>
    public string FirstLine { get; }

    public static async Task<BenchmarkProcess> StartAsync(Benchmark benchmark, string role, CancellationToken cancellationToken)
    {
        var start = SelfWith([benchmark.Name, "--serve", role], benchmark.Environment);
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        var process = Process.Start(start) ?? throw new InvalidOperationException($"'{role}' did not start.");
        var line = await process.StandardOutput.ReadLineAsync(cancellationToken)
            ?? throw new InvalidOperationException($"'{role}' ended before it was ready.");
        return new BenchmarkProcess(process, line);
    }

    /// <summary>Completes when the parent closes this process's standard input or ends.</summary>
    public static async Task ParentGoneAsync(CancellationToken cancellationToken)
    {
        while (await Console.In.ReadLineAsync(cancellationToken) is not null)
        {
        }
    }

    public static ProcessStartInfo SelfWith(IEnumerable<string> args, IReadOnlyDictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!, args);
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return start;
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }
}
