namespace Fluster.Worker;

/// <summary>The files of one attempt: removed when it has ended.</summary>
internal sealed class AttemptDirectory(string root)
{
    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Where the program runs.</summary>
    public string Work { get; } = Path.Combine(root, "work");

    /// <summary>Where JobHost puts what the entrypoint returned or threw.</summary>
    public string Outcome { get; } = Path.Combine(root, "outcome");

    /// <summary>What JobHost is to call.</summary>
    public string Invocation { get; } = Path.Combine(root, "invocation");

    /// <summary>Where a container's set-up commands tell how they get on.</summary>
    public string Setup { get; } = Path.Combine(root, "setup");

    /// <summary>The home of the attempt's user.</summary>
    public string Home { get; } = Path.Combine(root, "home");

    /// <summary>Its temporary files: the machine's directory for them is everybody's.</summary>
    public string Temporary { get; } = Path.Combine(root, "tmp");

    /// <summary>What the attempt is told. Only the worker writes here.</summary>
    public string Notices { get; } = Path.Combine(root, "notices");

    /// <summary>Where its processes leave their spans.</summary>
    public string Spans { get; } = Path.Combine(root, "spans");

    /// <summary>Where the attempt is told that it is preempted.</summary>
    public string Preemption => Path.Combine(Notices, "preemption");

    /// <param name="user">Whose it is; nobody else gets in, except root. 0: the worker's own.</param>
    public void Create(uint user = 0)
    {
        if (user == 0 || !OperatingSystem.IsLinux())
        {
            Directory.CreateDirectory(Work);
            Directory.CreateDirectory(Outcome);
            Directory.CreateDirectory(Spans);
            Directory.CreateDirectory(Notices);
            return;
        }

        Directory.CreateDirectory(root, Owner);
        foreach (var directory in (string[])[Work, Outcome, Spans, Home, Temporary])
        {
            Directory.CreateDirectory(directory, Owner);
            Libc.Check(Libc.lchown(directory, user, user), "lchown");
        }

        // By its group the user gets through; only root may rename or replace what is in here.
        Directory.CreateDirectory(Notices, Owner);
        foreach (var directory in (string[])[root, Notices])
        {
            Libc.Check(Libc.lchown(directory, 0, user), "lchown");
            File.SetUnixFileMode(directory, Owner | UnixFileMode.GroupExecute);
        }
    }

    /// <summary>Makes the working files, which the worker has copied, the user's own.</summary>
    public void GiveWorkTo(uint user)
    {
        if (user == 0 || !OperatingSystem.IsLinux())
        {
            return;
        }

        foreach (var path in Directory.EnumerateFileSystemEntries(Work, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.None }))
        {
            Libc.Check(Libc.lchown(path, user, user), "lchown");
        }
    }

    /// <summary>Lets the user read the invocation.</summary>
    public void ShowInvocationTo(uint user)
    {
        if (user != 0 && OperatingSystem.IsLinux())
        {
            File.SetUnixFileMode(Invocation, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
            Libc.Check(Libc.lchown(Invocation, 0, user), "lchown");
        }
    }

    /// <summary>Lets every user write where the program writes, for a container that runs as another user. Nobody outside of it gets through the directory around.</summary>
    public void OpenToOthers()
    {
        if (!OperatingSystem.IsWindows())
        {
            const UnixFileMode Everybody = (UnixFileMode)0b111_111_111;
            File.SetUnixFileMode(root, Owner);
            File.SetUnixFileMode(Work, Everybody);
            File.SetUnixFileMode(Outcome, Everybody);
            File.SetUnixFileMode(Spans, Everybody);
            File.SetUnixFileMode(Notices, Owner | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
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
            foreach (var directory in Directory.EnumerateDirectories(root, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint }))
            {
                File.SetUnixFileMode(directory, Owner);
            }

            Directory.Delete(root, recursive: true);
        }
    }
}
