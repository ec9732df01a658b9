using System.Diagnostics;

namespace Fluster.Tests;

/// <summary>Protos of ours follow buf's standard rules; protos that are given (grpc.*, google.*) keep their own ways.</summary>
public class BufLintTests
{
    private const string Buf = "Fluster.Tests/Interop/node/node_modules/.bin/buf";

    [Fact]
    public void Protos_OfFlusterPackages_AreInAModuleOfBuf()
    {
        var modules = Repository.Read("buf.yaml").Split('\n')
            .Where(line => line.StartsWith("  - path: ", StringComparison.Ordinal))
            .Select(line => line["  - path: ".Length..].Trim() + "/")
            .ToArray();
        var ours = Repository.Files("*.proto").Where(path => Repository.Read(path).Contains("\npackage fluster.", StringComparison.Ordinal)).ToArray();

        Assert.NotEmpty(ours);
        Assert.All(ours, path => Assert.Contains(modules, module => path.StartsWith(module, StringComparison.Ordinal)));
        Assert.All(modules, module => Assert.Contains(ours, path => path.StartsWith(module, StringComparison.Ordinal)));
    }

    [NpmFact("buf")]
    public void Protos_OfFlusterPackages_PassBufLint()
    {
        using var buf = Process.Start(new ProcessStartInfo(Path.Combine(Repository.Root, Buf), ["lint"])
        {
            WorkingDirectory = Repository.Root,
            RedirectStandardOutput = true,
        })!;
        var findings = buf.StandardOutput.ReadToEnd();
        buf.WaitForExit();

        Assert.Equal(("", 0), (findings, buf.ExitCode));
    }
}

/// <summary>A test that needs a program among the npm packages. Without it the test is skipped by name, with the reason.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class NpmFactAttribute : FactAttribute
{
    public NpmFactAttribute(string program)
    {
        if (Tools.Find("node") is null || !File.Exists(Path.Combine(Repository.Root, "Fluster.Tests/Interop/node/node_modules/.bin", program)))
        {
            Skip = $"{program} is not among the npm packages of Fluster.Tests/Interop/node (eng/install-services.sh brings them).";
        }
    }
}
