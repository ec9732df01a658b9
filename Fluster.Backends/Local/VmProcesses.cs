using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Fluster.Backends;

/// <summary>
/// The processes of workers that this backend has started, found by the data directory in their arguments: also by another start of the controller, and whatever became
/// of the numbers of processes in between.
/// </summary>
internal static class VmProcesses
{
    /// <summary>Of a worker program: it is to end what a worker left. With its standard input closed it begins at once.</summary>
    private const string GuardArgument = "--guard";

    private const string DirectorySetting = "--Fluster:Worker:DataDirectory=";
    private const string WardFile = "ward";

    /// <summary>What a worker may have of the controller's own environment: nothing that the controller was told about itself, its key above all.</summary>
    private static readonly string[] s_inherited = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "DOTNET_ROOT", "LD_LIBRARY_PATH"];

    /// <summary>The worker itself; null: it does not run.</summary>
    public static int? MainOf(string data) => Find(arguments => arguments.Contains(DirectorySetting + data, StringComparer.Ordinal)) is [var process, ..] ? process : null;

    /// <summary>The worker and its own helpers, which outlive it for as long as something of its attempts does.</summary>
    public static IReadOnlyList<int> AllOf(string data) =>
        Find(arguments => arguments.Any(argument => argument == DirectorySetting + data || argument.StartsWith(data + "/", StringComparison.Ordinal)));

    public static void Start(string worker, string data, string output, IReadOnlyDictionary<string, string> environment)
    {
        // A session of its own, so that what is meant for the controller's terminal does not reach it; and an output that outlives the controller.
        var start = new ProcessStartInfo("setsid", ["/bin/sh", "-c", "exec \"$@\" >>\"$0\" 2>&1 </dev/null", output, DotnetHost(), worker, DirectorySetting + data])
        {
            WorkingDirectory = Path.GetDirectoryName(worker),
        };
        Prepare(start);
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start) ?? throw new IOException($"'{worker}' did not start.");
    }

    /// <summary>kill -9, as a machine ends whose power is cut.</summary>
    public static void Kill(int? id)
    {
        try
        {
            using var process = id is { } known ? Process.GetProcessById(known) : null;
            process?.Kill();
        }
        catch (ArgumentException)
        {
            // It has ended by itself.
        }
        catch (InvalidOperationException)
        {
            // The same.
        }
    }

    /// <summary>Ends whatever is left of the attempts of a worker that has ended.</summary>
    /// <exception cref="IOException">The sweep did not work.</exception>
    public static async Task SweepAsync(string worker, string data, CancellationToken cancellationToken)
    {
        var file = Path.Combine(data, WardFile);
        if (!File.Exists(file) || await File.ReadAllLinesAsync(file, cancellationToken) is not [var ward, var cgroups, ..])
        {
            return; // it never came so far that it could have started anything
        }

        var start = new ProcessStartInfo(DotnetHost(), [worker, GuardArgument, ward, cgroups, Path.Combine(data, "engine")]) { RedirectStandardInput = true };
        Prepare(start);
        using var process = Process.Start(start) ?? throw new IOException($"'{worker}' did not start.");
        process.StandardInput.Close();
        await process.WaitForExitAsync(cancellationToken);
        if (process.ExitCode != 0)
        {
            throw new IOException($"The sweep of '{data}' ended with {process.ExitCode}.");
        }
    }

    private static void Prepare(ProcessStartInfo start)
    {
        foreach (var name in start.Environment.Keys.Except(s_inherited, StringComparer.Ordinal).ToList())
        {
            start.Environment.Remove(name);
        }
    }

    /// <summary>The program that runs this one, if that is it.</summary>
    private static string DotnetHost() => Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? Environment.ProcessPath! : "dotnet";

    private static List<int> Find(Func<string[], bool> wanted)
    {
        var found = new List<int>();
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out var id) && ArgumentsOf(directory) is { Length: > 0 } arguments && wanted(arguments))
            {
                found.Add(id);
            }
        }

        return found;
    }

    private static string[] ArgumentsOf(string directory)
    {
        try
        {
            return Encoding.UTF8.GetString(File.ReadAllBytes(Path.Combine(directory, "cmdline"))).Split('\0', StringSplitOptions.RemoveEmptyEntries);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return []; // ended meanwhile
        }
    }
}
