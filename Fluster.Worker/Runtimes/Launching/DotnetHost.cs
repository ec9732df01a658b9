using System.Runtime.InteropServices;

namespace Fluster.Worker;

/// <summary>The <c>dotnet</c> program that belongs to the runtime of this process.</summary>
internal static class DotnetHost
{
    /// <summary>Its path. Found from the runtime's own directory: PATH may name another installation.</summary>
    public static string Path { get; } = Find();

    private static string Find()
    {
        // <root>/shared/Microsoft.NETCore.App/10.0.0/
        var root = System.IO.Path.GetFullPath(System.IO.Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        var path = System.IO.Path.Combine(root, OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet");
        return File.Exists(path) ? path : throw new InvalidOperationException($"There is no dotnet program at '{path}': the worker needs an installed .NET runtime, not a single-file one.");
    }
}
