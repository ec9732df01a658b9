namespace Aspire.Hosting.ApplicationModel;

/// <summary>A .NET project of the repository.</summary>
public class ProjectResource : Resource, IResourceWithEnvironment, IResourceWithArgs, IResourceWithServiceDiscovery, IResourceWithWaitSupport
{
    /// <summary>Makes a project resource.</summary>
    public ProjectResource(string name)
        : base(name)
    {
    }
}

/// <summary>A program of this machine.</summary>
public class ExecutableResource : Resource, IResourceWithEnvironment, IResourceWithArgs, IResourceWithEndpoints, IResourceWithWaitSupport
{
    /// <summary>Makes an executable resource.</summary>
    public ExecutableResource(string name, string command, string workingDirectory)
        : base(name)
    {
        ArgumentException.ThrowIfNullOrEmpty(command);
        ArgumentNullException.ThrowIfNull(workingDirectory);
        Command = command;
        WorkingDirectory = workingDirectory;
    }

    /// <summary>The program: a path, or a name that PATH finds.</summary>
    public string Command { get; }

    /// <summary>The directory that the program starts in.</summary>
    public string WorkingDirectory { get; }
}

/// <summary>An image that a container engine runs.</summary>
public class ContainerResource : Resource, IResourceWithEnvironment, IResourceWithArgs, IResourceWithEndpoints, IResourceWithWaitSupport
{
    /// <summary>Makes a container resource.</summary>
    public ContainerResource(string name, string? entrypoint = null)
        : base(name) => Entrypoint = entrypoint;

    /// <summary>The program that runs instead of the image's own.</summary>
    public string? Entrypoint { get; set; }
}
