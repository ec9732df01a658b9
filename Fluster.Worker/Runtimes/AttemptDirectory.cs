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

    /// <summary>Where a container's set-up commands tell how they get on.</summary>
    public string Setup { get; } = Path.Combine(root, "setup");

    public void Create()
    {
        Directory.CreateDirectory(Work);
        Directory.CreateDirectory(Outcome);
    }

    /// <summary>Lets every user write where the program writes, for a container that runs as another user. Nobody outside of it gets through the directory around.</summary>
    public void OpenToOthers()
    {
        if (!OperatingSystem.IsWindows())
        {
            const UnixFileMode Everybody = (UnixFileMode)0b111_111_111;
            File.SetUnixFileMode(root, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            File.SetUnixFileMode(Work, Everybody);
            File.SetUnixFileMode(Outcome, Everybody);
        }
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
