using System.Runtime.Versioning;
using Microsoft.Extensions.Logging;

namespace Fluster.Worker;

/// <summary>Finds the best way to hold processes together that works here, by running one that does nothing.</summary>
[SupportedOSPlatform("linux")]
internal static class IsolationProbe
{
    private const int Tries = 3;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    /// <summary>Chooses a way, remembers its ward in the data directory, and leaves its launcher running.</summary>
    /// <exception cref="WorkerStartException">None works.</exception>
    public static (Isolation Isolation, ProcessLauncher Launcher) Choose(string directory, WorkerOptions options, DescriptorPump pump, ILoggerFactory loggers)
    {
        WorkerOptionsValidation.IsolationOf(options, out var wanted);

        // Another one at every start: the guard and the launcher of a run that died may still be clearing up after it.
        var id = Ward.NewId();
        var problems = new List<string>();
        foreach (var bare in Isolation.Candidates(id, wanted))
        {
            var candidate = bare with { Ward = bare.Ward with { EngineFile = Ward.EngineFileIn(directory) } };
            candidate.Ward.Save(directory); // before the first process that it has to find again
            var launcher = new ProcessLauncher(candidate.Ward, pump, loggers.CreateLogger<ProcessLauncher>());
            launcher.Start();
            if (Try(candidate, launcher) is not { } problem)
            {
                return (candidate, launcher);
            }

            problems.Add($"{candidate.Name}: {problem}");
            launcher.Dispose();
            CgroupTree.RemoveBelow(candidate.Ward.CgroupDirectory);
        }

        throw new WorkerStartException($"{WorkerOptions.Section}:{nameof(WorkerOptions.Isolation)}: '{options.Isolation}' does not work on this machine. {string.Join(' ', problems)}");
    }

    private static string? Try(Isolation isolation, ProcessLauncher launcher)
    {
        for (var tries = 1; ; tries++)
        {
            var before = launcher.ProcessId;
            var (problem, exitCode) = Run(isolation, launcher, new ProbeProgram("/", ["-c", ":"]));
            if (problem is null && exitCode == 0)
            {
                return null;
            }

            // A launcher that was killed meanwhile says nothing about the machine.
            if (tries == Tries || before is not null && before == launcher.ProcessId)
            {
                return problem ?? (exitCode is { } code ? $"/bin/sh ended with code {code}." : "/bin/sh was killed.");
            }
        }
    }

    /// <summary>Has /bin/sh run something short.</summary>
    /// <returns>Why it could not be started, or how it ended; null: by a signal.</returns>
    public static (string? Problem, int? ExitCode) Run(Isolation isolation, ProcessLauncher launcher, ProbeProgram program)
    {
        var boundary = isolation.CreateBoundary(default, () => launcher.ProcessId);
        var (mode, cgroup) = boundary.Placement;
        var (output, outputEnd) = Libc.Pipe();
        var (errors, errorsEnd) = Libc.Pipe();
        try
        {
            var launched = launcher.Launch(
                new LaunchRequest
                {
                    Isolation = mode,
                    CgroupDirectory = cgroup,
                    Program = "/bin/sh",
                    Arguments = ["sh", .. program.Arguments],
                    Environment = [],
                    WorkingDirectory = program.WorkingDirectory,
                    User = program.User,
                },
                outputEnd,
                errorsEnd);
            if (!launched.Released.Wait(s_patience))
            {
                return ("a process that does nothing did not end.", null);
            }

            return launched.Started.Result is { Kind: LaunchNewsKind.Failed, First: var stage, Second: var error }
                ? ($"step {(LaunchStage)stage}: {Libc.Describe(error)}.", null)
                : (null, launched.Exited.Result is { } status && (status & 0x7f) == 0 ? status >> 8 : null);
        }
        finally
        {
            _ = Libc.close(output);
            _ = Libc.close(errors);
            boundary.Remove();
        }
    }
}

/// <param name="WorkingDirectory">Where it runs.</param>
/// <param name="Arguments">Of /bin/sh.</param>
/// <param name="User">The user that it runs as; 0: the launcher's.</param>
internal sealed record ProbeProgram(string WorkingDirectory, IReadOnlyList<string> Arguments, uint User = 0);
