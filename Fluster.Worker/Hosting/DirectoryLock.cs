namespace Fluster.Worker;

/// <summary>Keeps a data directory to one worker.</summary>
internal static class DirectoryLock
{
    /// <exception cref="WorkerStartException">Another worker has the directory, or it cannot be used.</exception>
    public static FileStream Take(string directory)
    {
        try
        {
            Directory.CreateDirectory(directory);
            if (!OperatingSystem.IsWindows())
            {
                // Tokens of jobs are in here.
                File.SetUnixFileMode(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            }

            return new FileStream(Path.Combine(directory, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new WorkerStartException($"{WorkerOptions.Section}:{nameof(WorkerOptions.DataDirectory)}: '{directory}' cannot be used, or another worker uses it: {exception.Message}", exception);
        }
    }
}
