namespace Fluster.Worker;

/// <summary>The files of one attempt: removed when it has ended.</summary>
internal sealed class AttemptDirectory(string root)
{
    /// <summary>Where the program runs.</summary>
    public string Work { get; } = Path.Combine(root, "work");

    /// <summary>Where JobHost puts what the entrypoint returned or threw.</summary>
    public string Outcome { get; } = Path.Combine(root, "outcome");

    /// <summary>What JobHost is to call.</summary>
    public string Invocation { get; } = Path.Combine(root, "invocation");

    public void Create()
    {
        Directory.CreateDirectory(Work);
        Directory.CreateDirectory(Outcome);
    }

    /// <summary>Removes everything. What a job made unreadable is made readable first.</summary>
    public void Remove()
    {
        if (!Directory.Exists(root))
        {
            return;
        }

        try
        {
            Directory.Delete(root, recursive: true);
        }
        catch (UnauthorizedAccessException) when (!OperatingSystem.IsWindows())
        {
            const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
            foreach (var directory in Directory.EnumerateDirectories(root, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint }))
            {
                File.SetUnixFileMode(directory, Owner);
            }

            Directory.Delete(root, recursive: true);
        }
    }
}
