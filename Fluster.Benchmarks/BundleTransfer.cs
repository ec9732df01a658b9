using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Fluster.Cluster;

namespace Fluster.Benchmarks;

/// <summary>
/// What a submit moves, counted where it arrives: the blobs of the controller. A program of its own is built, run, run again, changed
/// in one line, built and run again.
/// </summary>
internal sealed class BundleTransfer : Benchmark
{
    private const string Project = """
        <Project Sdk="Microsoft.NET.Sdk">
          <PropertyGroup>
            <OutputType>Exe</OutputType>
            <TargetFramework>net10.0</TargetFramework>
            <ImplicitUsings>enable</ImplicitUsings>
          </PropertyGroup>
          <ItemGroup>
            <ProjectReference Include="PROJECT" />
          </ItemGroup>
        </Project>
        """;

    private const string Program = """
        using Fluster.Cluster;

        await using var client = FlusterClient.FromEnvironment();
        var job = await client.SubmitAsync(() => 1);
        Console.WriteLine(await job.ResultAsync());
        """;

    public override string Name => "bundle";

    public override async IAsyncEnumerable<BenchmarkResult> RunAsync(Func<string, bool> wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var cluster = await BenchmarkCluster.StartAsync(cancellationToken);
        var app = Directory.CreateDirectory(Path.Combine(cluster.DataRoot, "app")).FullName;
        await File.WriteAllTextAsync(Path.Combine(app, "App.csproj"), Project.Replace("PROJECT", ClusterProject(), StringComparison.Ordinal), cancellationToken);

        var first = await SubmitAsync(cluster, app, Program, build: true, cancellationToken);
        var second = await SubmitAsync(cluster, app, Program, build: false, cancellationToken);
        var rebuilt = await SubmitAsync(cluster, app, Program, build: true, cancellationToken);
        var changed = await SubmitAsync(cluster, app, Program.Replace("=> 1", "=> 2", StringComparison.Ordinal), build: true, cancellationToken);

        yield return BenchmarkResult.Reported(Name, "first-submit/files", first.Count, "files");
        yield return BenchmarkResult.Exactly(Name, "second-submit/files", second.Count, "files", 0);
        yield return BenchmarkResult.Exactly(Name, "second-submit-after-build/files", rebuilt.Count, "files", 0);

        // The assembly, its symbols, and the list of the bundle's files.
        yield return BenchmarkResult.Exactly(Name, "one-line-change/assemblies", changed.Count(name => name.EndsWith(".dll", StringComparison.Ordinal)), "files", 1);
        yield return BenchmarkResult.Exactly(Name, "one-line-change/other-files", changed.Count(name => name is not ("App.dll" or "App.pdb" or "")), "files", 0);
    }

    private static string ClusterProject([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "Fluster.Cluster", "Fluster.Cluster.csproj"));

    /// <summary>The names of the files that arrived; empty for what is no file of the program's output, the list of them.</summary>
    private static async Task<List<string>> SubmitAsync(BenchmarkCluster cluster, string app, string program, bool build, CancellationToken cancellationToken)
    {
        var before = Blobs(cluster);
        await File.WriteAllTextAsync(Path.Combine(app, "Program.cs"), program, cancellationToken);
        if (build)
        {
            await RunAsync(cluster, ["build", app, "-c", "Release", "-v", "q", "-nologo"], cancellationToken);
        }

        var output = Path.Combine(app, "bin", "Release", "net10.0");
        await RunAsync(cluster, [Path.Combine(output, "App.dll")], cancellationToken);
        var names = Directory.EnumerateFiles(output, "*", SearchOption.AllDirectories)
            .GroupBy(file => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file))), StringComparer.Ordinal)
            .ToDictionary(group => group.Key, group => Path.GetRelativePath(output, group.First()), StringComparer.Ordinal);
        return [.. Blobs(cluster).Except(before, StringComparer.Ordinal).Select(hash => names.GetValueOrDefault(hash, ""))];
    }

    private static List<string> Blobs(BenchmarkCluster cluster) =>
        [.. Directory.EnumerateFiles(cluster.BlobDirectory, "*", SearchOption.AllDirectories).Select(file => Path.GetFileName(file)!)];

    private static async Task RunAsync(BenchmarkCluster cluster, string[] arguments, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo("dotnet", arguments) { RedirectStandardOutput = true };
        start.Environment[FlusterEnvironment.ControllerAddress] = cluster.Options.Address;
        start.Environment[FlusterEnvironment.Token] = cluster.Options.Token;
        start.Environment[FlusterEnvironment.ContextFile] = Path.Combine(cluster.DataRoot, "context.json");
        using var process = Process.Start(start) ?? throw new InvalidOperationException("dotnet did not start.");
        var output = await process.StandardOutput.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"dotnet {string.Join(' ', arguments)} ended with {process.ExitCode}.\n{output}");
        }
    }
}
