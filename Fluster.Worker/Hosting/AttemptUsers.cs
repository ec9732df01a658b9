using System.Runtime.Versioning;
using Microsoft.Extensions.Logging;

namespace Fluster.Worker;

/// <summary>Whether attempts have users of their own on this worker: found out by running something as one.</summary>
/// <param name="Pool">Gives them out; null: all attempts run as the worker's user.</param>
/// <param name="Detail">For health.</param>
[SupportedOSPlatform("linux")]
internal sealed partial record AttemptUsers(UserPool? Pool, string Detail)
{
    private const string NotIsolated = "attempts are not isolated from each other";
    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode ThroughForAll = Owner | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>What attempts have to reach in the data directory. Everything else there is the worker's alone.</summary>
    private static readonly string[] s_open = ["work", "bundles"];

    /// <summary>Finds out, and opens of the data directory what attempts need.</summary>
    /// <param name="directory">The worker's data directory.</param>
    /// <param name="options">The settings.</param>
    /// <param name="isolation">How processes are held together.</param>
    /// <param name="launcher">Starts them.</param>
    /// <param name="needed">Files that the user of an attempt has to be able to read.</param>
    /// <param name="logger">The log.</param>
    /// <exception cref="WorkerStartException">It was asked for and does not work.</exception>
    public static AttemptUsers Choose(string directory, WorkerOptions options, Isolation isolation, ProcessLauncher launcher, IEnumerable<string> needed, ILogger logger)
    {
        if (options.IsolateAttempts == false)
        {
            return new AttemptUsers(null, $"{NotIsolated} ({WorkerOptions.Section}:{nameof(WorkerOptions.IsolateAttempts)} is false)");
        }

        string problem;
        if (Libc.geteuid() != 0)
        {
            problem = "the worker does not run as root";
        }
        else
        {
            Open(directory);
            var range = UserRange.Parse(options.UidRange);
            var pool = new UserPool(range, [.. UserRange.Taken(), new UserRange(range.First, range.First)], isolation.Ward, UserPool.DefaultLockDirectory); // the first is the group of MetadataFirewall
            if (Try(pool, directory, isolation, launcher, [Path.Combine(directory, "bundles"), .. needed]) is not { } found)
            {
                return new AttemptUsers(pool, "every attempt has a user of its own");
            }

            problem = found;
        }

        if (options.IsolateAttempts == true)
        {
            throw new WorkerStartException($"{WorkerOptions.Section}:{nameof(WorkerOptions.IsolateAttempts)} is true, but attempts cannot have users of their own: {problem}.");
        }

        Log.NotIsolated(logger, problem);
        return new AttemptUsers(null, $"{NotIsolated}: {problem}");
    }

    /// <summary>Lets everybody pass through the data directory, to what attempts need and to nothing else in it.</summary>
    private static void Open(string directory)
    {
        foreach (var name in (string[])[.. s_open, "blobs"]) // what is made later, with the rights that others have by default, is below
        {
            Directory.CreateDirectory(Path.Combine(directory, name));
        }

        foreach (var path in Directory.EnumerateFileSystemEntries(directory))
        {
            File.SetUnixFileMode(path, !Directory.Exists(path) ? UnixFileMode.UserRead | UnixFileMode.UserWrite : s_open.Contains(Path.GetFileName(path)) ? ThroughForAll : Owner);
        }

        File.SetUnixFileMode(directory, ThroughForAll);
    }

    /// <returns>Why it does not work; null when it does.</returns>
    private static string? Try(UserPool pool, string directory, Isolation isolation, ProcessLauncher launcher, string[] needed)
    {
        var files = new AttemptDirectory(Path.Combine(directory, "work", $"probe-{isolation.Ward.Id}"));
        try
        {
            using var lease = pool.Take(default);
            files.Create(lease.User);
            var (problem, exitCode) = IsolationProbe.Run(isolation, launcher, new ProbeProgram(
                files.Work,
                ["-c", "n=1; for path; do [ -r \"$path\" ] || [ -x \"$path\" ] || exit $n; n=$((n + 1)); done; echo > here || exit 100", "sh", .. needed],
                lease.User));
            return problem is not null ? Unreachable(files.Work) ?? problem.TrimEnd('.')
                : exitCode is > 0 && exitCode <= needed.Length ? Unreachable(needed[exitCode.Value - 1]) ?? $"user {lease.User} cannot read '{needed[exitCode.Value - 1]}'"
                : exitCode == 0 ? null : $"user {lease.User} cannot write in '{files.Work}'";
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or UsersExhaustedException)
        {
            return exception.Message.TrimEnd('.');
        }
        finally
        {
            files.Remove();
        }
    }

    /// <summary>The first directory on the way that only its owner gets through; null when there is none.</summary>
    private static string? Unreachable(string path)
    {
        var way = new List<string>();
        for (var directory = Path.GetDirectoryName(path); directory is not null; directory = Path.GetDirectoryName(directory))
        {
            way.Insert(0, directory);
        }

        return way.Find(directory => Directory.Exists(directory) && (File.GetUnixFileMode(directory) & (UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) == UnixFileMode.None) is { } closed
            ? $"others than its owner do not get through '{closed}', on the way to '{path}'"
            : null;
    }

    private static partial class Log
    {
        [LoggerMessage(207, LogLevel.Warning, "Attempts are not isolated from each other: {Problem}.")]
        public static partial void NotIsolated(ILogger logger, string problem);
    }
}
