using System.Text;

namespace Fluster.Cluster;

/// <summary>What a request must fulfil before anything is sent. The controller checks again.</summary>
internal static class JobRequestRules
{
    public const int MaxArgumentBytes = 4 << 20;
    public const int MaxReplicas = 100_000;
    public const int MaxRetries = 1_000_000;

    /// <exception cref="JobRequestException">The request cannot be right; the message says what is wrong.</exception>
    public static void Check(JobRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (Problem(request) is { } problem)
        {
            throw new JobRequestException(problem);
        }
    }

    private static string? Problem(JobRequest request) =>
        JobName.Problem(request.Name)
        ?? PortName.Problem(request.Ports)
        ?? (request.Entrypoint as JobEntrypoint.CommandLine is { } command ? ArgvProblem(command.Argv) : null)
        ?? Between(request.Replicas, 1, MaxReplicas, "Replicas")
        ?? Between(request.MaxFailureRetries, 0, MaxRetries, "MaxFailureRetries")
        ?? Between(request.MaxPreemptionRetries, 0, MaxRetries, "MaxPreemptionRetries")
        ?? TimeoutProblem(request.SchedulingTimeout, "SchedulingTimeout")
        ?? TimeoutProblem(request.ExecutionTimeout, "ExecutionTimeout")
        ?? EnvironmentProblem(request.Environment);

    private static string? ArgvProblem(IReadOnlyList<string> argv)
    {
        if (argv.Count == 0 || string.IsNullOrEmpty(argv[0]))
        {
            return "A command needs a program: its first argument is missing or empty.";
        }

        if (argv.Any(argument => argument is null || argument.Contains('\0', StringComparison.Ordinal)))
        {
            return "An argument of a command cannot be null and cannot contain a NUL character.";
        }

        var bytes = argv.Sum(argument => (long)Encoding.UTF8.GetByteCount(argument) + 1);
        return bytes > MaxArgumentBytes ? $"The command's arguments have {bytes:N0} bytes together; {MaxArgumentBytes:N0} (4 MiB) are allowed." : null;
    }

    private static string? EnvironmentProblem(JobEnvironment environment)
    {
        if (environment.Image is { } image && ContainerImage.Problem(image) is { } problem)
        {
            return problem;
        }

        foreach (var (name, value) in environment.Variables)
        {
            if (name.Length == 0 || name.Contains('=', StringComparison.Ordinal) || name.Contains('\0', StringComparison.Ordinal))
            {
                return $"'{name}' is not the name of an environment variable.";
            }

            if (value is null || value.Contains('\0', StringComparison.Ordinal))
            {
                return $"The environment variable {name} has a value that a process cannot have.";
            }
        }

        return environment.WorkingFiles is { } directory && !Directory.Exists(directory)
            ? $"The working files '{directory}' are not a directory."
            : environment.SetupCommands.Any(string.IsNullOrWhiteSpace) ? "A set-up command is empty." : null;
    }

    private static string? Between(int value, int least, int most, string name) =>
        value >= least && value <= most ? null : $"{name} is {value}; it can be {least} to {most}.";

    private static string? TimeoutProblem(TimeSpan? timeout, string name) =>
        timeout is null || timeout > TimeSpan.Zero && timeout < TimeSpan.FromDays(3650) ? null : $"{name} is {timeout}; it must be positive, or null for none.";
}
