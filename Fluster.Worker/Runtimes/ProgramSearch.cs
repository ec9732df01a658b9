namespace Fluster.Worker;

/// <summary>Finds the file that a command's first word means, as a shell would.</summary>
internal static class ProgramSearch
{
    /// <param name="name">A path, or a name to look for.</param>
    /// <param name="path">The job's PATH.</param>
    /// <param name="workingDirectory">What relative paths start from.</param>
    /// <param name="problem">When there is no such program: why, as a sentence.</param>
    /// <returns>The file, or null.</returns>
    public static string? Find(string name, string path, string workingDirectory, out string? problem)
    {
        problem = null;
        if (name.Contains('/', StringComparison.Ordinal))
        {
            var file = Path.GetFullPath(name, workingDirectory);
            problem = Directory.Exists(file) ? $"'{name}' is a directory, not a program."
                : !File.Exists(file) ? $"The program '{name}' does not exist on this worker."
                : !IsExecutable(file) ? $"The program '{name}' is not executable."
                : null;
            return problem is null ? file : null;
        }

        foreach (var directory in path.Split(':'))
        {
            var file = Path.GetFullPath(Path.Combine(directory, name), workingDirectory);
            if (File.Exists(file) && IsExecutable(file))
            {
                return file;
            }
        }

        problem = name.Length == 0 ? "The command is empty." : $"The program '{name}' was not found on this worker. PATH is {path}";
        return null;
    }

    private static bool IsExecutable(string file) =>
        OperatingSystem.IsWindows() || (File.GetUnixFileMode(file) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != UnixFileMode.None;
}
