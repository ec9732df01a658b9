using System.Reflection;

namespace Aspire.Hosting.Running;

/// <summary>A project that was given by its path.</summary>
internal sealed class ProjectAtPath : IProjectMetadata
{
    private ProjectAtPath(string projectPath, Assembly? appHost) => (ProjectPath, AppHost) = (projectPath, appHost);

    public string ProjectPath { get; }

    /// <summary>The program that named it: what it was built into may be written there.</summary>
    public Assembly? AppHost { get; }

    /// <summary>Finds the project file at a path, which may be that of its directory.</summary>
    /// <exception cref="DistributedApplicationException">There is no project, or there are several.</exception>
    public static ProjectAtPath Find(string path, Assembly? appHost)
    {
        if (File.Exists(path))
        {
            return new ProjectAtPath(path, appHost);
        }

        string[] projects = Directory.Exists(path) ? Directory.GetFiles(path, "*.??proj") : [];
        return projects.Length switch
        {
            1 => new ProjectAtPath(projects[0], appHost),
            0 => throw new DistributedApplicationException($"Project does not exist at path '{path}'."),
            _ => throw new DistributedApplicationException($"There are several projects in '{path}'; name one of them."),
        };
    }
}

/// <summary>Finds what a project was built into.</summary>
internal static class ProjectOutput
{
    private const string MetadataPrefix = "apphostprojectoutput:";

    private static readonly TimeSpan s_buildLimit = TimeSpan.FromMinutes(10);

    /// <summary>The assembly of a project. One that was not built along with the AppHost is built now.</summary>
    /// <exception cref="DistributedApplicationException">It is not there, or does not build.</exception>
    public static async Task<string> FindAsync(IProjectMetadata project, string resource, CancellationToken cancellationToken)
    {
        var path = Recorded(project) ?? await AskBuildAsync(project, resource, cancellationToken);
        return File.Exists(path)
            ? path
            : throw new DistributedApplicationException($"'{resource}' was not built: there is no '{path}'. Run 'dotnet build {project.ProjectPath}'.");
    }

    // The build of the AppHost wrote down, in the assembly where the metadata class is, what it built each project into.
    private static string? Recorded(IProjectMetadata project) => ((project as ProjectAtPath)?.AppHost ?? project.GetType().Assembly)
        .GetCustomAttributes<AssemblyMetadataAttribute>()
        .FirstOrDefault(attribute => attribute.Key == MetadataPrefix + project.ProjectPath)?.Value;

    private static async Task<string> AskBuildAsync(IProjectMetadata project, string resource, CancellationToken cancellationToken)
    {
        string[] verb = project.SuppressBuild ? ["msbuild"] : ["build", "-v", "quiet"];
        var answer = await CommandRun.RunAsync(
            Programs.Dotnet,
            [.. verb, "-nologo", project.ProjectPath, "-getProperty:TargetPath"],
            s_buildLimit,
            Path.GetDirectoryName(project.ProjectPath),
            cancellationToken);
        return answer.Succeeded
            ? answer.Output.Trim()
            : throw new DistributedApplicationException($"'{resource}' does not build:{Environment.NewLine}{answer.Output.Trim()}{answer.Error.Trim()}");
    }
}
