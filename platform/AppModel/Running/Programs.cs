using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Aspire.Hosting.Running;

/// <summary>The programs of this machine, and how they are started.</summary>
internal static class Programs
{
    private static readonly Lazy<string?> s_setsid = new(() => OperatingSystem.IsLinux() ? Find("setsid") : null);

    /// <summary>The dotnet command whose runtime runs this process.</summary>
    public static string Dotnet { get; } = FindDotnet();

    /// <summary>The full path of a program: <paramref name="name"/> itself when it is a path, else where PATH finds it; null when it is nowhere.</summary>
    public static string? Find(string name, string? path = null, string? workingDirectory = null)
    {
        if (name.Contains('/', StringComparison.Ordinal) || name.Contains(Path.DirectorySeparatorChar, StringComparison.Ordinal))
        {
            var full = Path.GetFullPath(name, workingDirectory ?? Environment.CurrentDirectory);
            return File.Exists(full) ? full : null;
        }

        string[] names = OperatingSystem.IsWindows() ? [name, name + ".exe", name + ".cmd"] : [name];
        return (path ?? EnvironmentPath()).Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .SelectMany(directory => names.Select(candidate => Path.Combine(directory, candidate)))
            .FirstOrDefault(IsExecutable);
    }

    /// <summary>
    /// A start outside this process's session, so that a Ctrl+C meant for the AppHost does not reach the program: the
    /// AppHost decides who stops when. Where there is no setsid the program stays in the session.
    /// </summary>
    public static ProcessStartInfo InOwnSession(string program, IEnumerable<string> arguments) => s_setsid.Value is { } setsid
        ? new ProcessStartInfo(setsid, [program, .. arguments])
        : new ProcessStartInfo(program, arguments);

    /// <summary>The arguments with which dotnet runs an assembly.</summary>
    public static string[] AssemblyArguments(string assembly)
    {
        // The assembly has a runtimeconfig.json of its own only where it was copied along with it.
        var own = Path.ChangeExtension(assembly, ".runtimeconfig.json");
        return File.Exists(own) || Directory.GetFiles(AppContext.BaseDirectory, "*.runtimeconfig.json") is not [var other, ..]
            ? [assembly]
            : ["exec", "--runtimeconfig", other, assembly];
    }

    private static bool IsExecutable(string path) => File.Exists(path)
        && (OperatingSystem.IsWindows()
            || (File.GetUnixFileMode(path) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != UnixFileMode.None);

    private static string FindDotnet()
    {
        var name = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        // …/dotnet/shared/Microsoft.NETCore.App/10.0.0/ belongs to …/dotnet/dotnet.
        var beside = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", name));
        return File.Exists(beside) ? beside : Find("dotnet") ?? "dotnet";
    }

    private static string EnvironmentPath()
    {
#pragma warning disable RS0030 // What this process would start is decided by its environment, not by configuration.
        return Environment.GetEnvironmentVariable("PATH") ?? "";
#pragma warning restore RS0030
    }
}
