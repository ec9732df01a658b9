using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Guarding;

namespace Aspire.Hosting.Running;

/// <summary>How a container resource is run; without the annotation the engine runs it.</summary>
internal sealed class RunsAsProgramAnnotation(string program) : IResourceAnnotation
{
    public string Program { get; } = program;
}

/// <summary>Decides how each resource is run, and says everything that starting it takes.</summary>
internal sealed class LaunchPlanner(ContainerEngine engine, EnvironmentComposer composer, ResourceLoggerService loggers)
{
    /// <summary>
    /// Finds out, before anybody is told an address, whether a container resource can be run at all: by an engine, else as
    /// a program of this machine where there is one. Otherwise it is marked as not started.
    /// </summary>
    public async Task PrepareAsync(ContainerResource resource, CancellationToken cancellationToken)
    {
        var (command, reason) = await engine.FindAsync();
        if (command is not null)
        {
            var log = resource.InstanceIds()[0];
            reason = await ContainerEngine.EnsureImageAsync(
                command, ContainerEngine.ImageName(resource), line => loggers.Append(log, line, isError: false), cancellationToken);
        }

        if (reason is null)
        {
            return;
        }

        if (resource.Annotations.OfType<RedisLaunchAnnotation>().Any())
        {
            if (Programs.Find(RedisLaunchAnnotation.Program) is { } program)
            {
                resource.Annotations.Add(new RunsAsProgramAnnotation(program));
                return;
            }

            reason += $", and {RedisLaunchAnnotation.Program} is not on PATH";
        }

        resource.Annotations.Add(new NotStartedAnnotation(reason));
    }

    /// <exception cref="DistributedApplicationException">The resource cannot be started; the message says what to do.</exception>
    public async Task<LaunchSpec> PlanAsync(IResource resource, string id, GuardProcess guard, CancellationToken cancellationToken)
    {
        var composition = await composer.ComposeAsync(resource, id, cancellationToken);
        var environment = EnvironmentComposer.OnTopOfOwn(composition.Variables);
        environment[WardSweep.Variable] = guard.MarkOf(id);
        return resource switch
        {
            ProjectResource project => await PlanAsync(project, composition, environment, cancellationToken),
            ExecutableResource executable => Plan(executable, composition, environment),
            ContainerResource container => await PlanAsync(container, id, composition, environment, cancellationToken),
            _ => throw new DistributedApplicationException($"'{resource.Name}' is no resource that can be started."),
        };
    }

    private static async Task<LaunchSpec> PlanAsync(
        ProjectResource project, Composition composition, Dictionary<string, string> environment, CancellationToken cancellationToken)
    {
        var metadata = project.Annotations.OfType<IProjectMetadata>().LastOrDefault()
            ?? throw new DistributedApplicationException($"'{project.Name}' does not say where its project is.");
        var assembly = await ProjectOutput.FindAsync(metadata, project.Name, cancellationToken);
        return new LaunchSpec
        {
            Program = Programs.Dotnet,
            Arguments = [assembly, .. composition.Arguments],
            WorkingDirectory = Path.GetDirectoryName(metadata.ProjectPath)!,
            Environment = environment,
            GivenVariables = composition.Variables.Keys,
        };
    }

    private static LaunchSpec Plan(ExecutableResource executable, Composition composition, Dictionary<string, string> environment)
    {
        if (!Directory.Exists(executable.WorkingDirectory))
        {
            throw new DistributedApplicationException($"The working directory '{executable.WorkingDirectory}' of '{executable.Name}' does not exist.");
        }

        return new LaunchSpec
        {
            Program = Programs.Find(executable.Command, environment.GetValueOrDefault("PATH"), executable.WorkingDirectory)
                ?? throw new DistributedApplicationException($"The program '{executable.Command}' of '{executable.Name}' was not found. Install it, or give its path."),
            Arguments = composition.Arguments,
            WorkingDirectory = executable.WorkingDirectory,
            Environment = environment,
            GivenVariables = composition.Variables.Keys,
        };
    }

    private async Task<LaunchSpec> PlanAsync(
        ContainerResource container, string id, Composition composition, Dictionary<string, string> environment, CancellationToken cancellationToken)
    {
        var redis = container.Annotations.OfType<RedisLaunchAnnotation>().LastOrDefault();
        if (container.Annotations.OfType<RunsAsProgramAnnotation>().LastOrDefault() is { } native && redis is not null)
        {
            return new LaunchSpec
            {
                Program = native.Program,
                Arguments = [.. RedisLaunchAnnotation.Arguments, .. composition.Arguments],
                WorkingDirectory = Path.GetTempPath(),
                Environment = environment,
                GivenVariables = composition.Variables.Keys,
                Input = await redis.ProgramInputAsync(cancellationToken),
            };
        }

        var (command, reason) = await engine.FindAsync();
        var program = command ?? throw new DistributedApplicationException($"'{container.Name}' cannot be started: {reason}.");
        string[] image = redis is null ? [] : [RedisLaunchAnnotation.Program, .. RedisLaunchAnnotation.Arguments];
        return new LaunchSpec
        {
            Program = program,
            Arguments = [.. ContainerEngine.RunArguments(container, id, composition.Variables.Keys, input: redis is not null), .. image, .. composition.Arguments],
            WorkingDirectory = Path.GetTempPath(),
            Environment = environment,
            GivenVariables = composition.Variables.Keys,
            Input = redis is null ? null : await redis.ContainerInputAsync(cancellationToken),
            Container = (program, id),
        };
    }
}
