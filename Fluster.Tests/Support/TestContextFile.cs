using System.Runtime.CompilerServices;

namespace Fluster.Tests;

/// <summary>Keeps the tests, and the programs that they start, away from the user's own <c>~/.fluster</c>.</summary>
internal static class TestContextFile
{
    [ModuleInitializer]
    internal static void Divert()
    {
        var directory = Directory.CreateTempSubdirectory("fluster-tests-home-").FullName;
        Environment.SetEnvironmentVariable(Cluster.FlusterEnvironment.ContextFile, Path.Combine(directory, "context.json"));
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(directory, recursive: true);
    }
}
