using System.Text.Json;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Publishing;

/// <summary>Writes the manifest that azd reads: what the application is made of, with references where only a deployment knows the values.</summary>
internal sealed class ManifestPublisher(DistributedApplicationModel model, DistributedApplicationExecutionContext execution)
{
    public const string Name = "manifest";

    private const string Schema = "https://json.schemastore.org/aspire-8.0.json";
    private const string DefaultFile = "aspire-manifest.json";

    /// <summary>The ports that projects listen on in a deployment, from this one on, when they have several.</summary>
    private const int FirstPort = 8000;

    /// <param name="outputPath">The file; a directory gets one.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The file.</returns>
    /// <exception cref="DistributedApplicationException">It cannot be written, or a resource cannot be described.</exception>
    public async Task<string> WriteAsync(string outputPath, CancellationToken cancellationToken)
    {
        var path = Path.GetFullPath(outputPath.EndsWith(".json", StringComparison.OrdinalIgnoreCase) ? outputPath : Path.Combine(outputPath, DefaultFile));
        using var content = new MemoryStream();
        await using (var writer = new Utf8JsonWriter(content, new JsonWriterOptions { Indented = true }))
        {
            await WriteAsync(new ManifestPublishingContext(execution, path, writer, cancellationToken));
        }

        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllBytesAsync(path, content.ToArray(), cancellationToken);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DistributedApplicationException($"The manifest '{path}' cannot be written: {exception.Message}", exception);
        }

        return path;
    }

    private async Task WriteAsync(ManifestPublishingContext context)
    {
        foreach (var project in model.Resources.OfType<ProjectResource>())
        {
            AssignPorts(project);
        }

        context.Writer.WriteStartObject();
        context.Writer.WriteString("$schema", Schema);
        context.Writer.WriteStartObject("resources");
        foreach (var resource in model.Resources)
        {
            await WriteAsync(resource, context);
        }

        foreach (var parameter in context.Dependents.Where(dependent => !model.Resources.Any(resource => string.Equals(resource.Name, dependent.Name, StringComparison.OrdinalIgnoreCase))))
        {
            await WriteAsync(parameter, context);
        }

        context.Writer.WriteEndObject();
        context.Writer.WriteEndObject();
    }

    private static async Task WriteAsync(IResource resource, ManifestPublishingContext context)
    {
        var own = resource.Annotations.OfType<ManifestPublishingCallbackAnnotation>().LastOrDefault();
        if (own is { Callback: null })
        {
            return;
        }

        context.Writer.WriteStartObject(resource.Name);
        await (own?.Callback is { } callback ? callback(context) : DescribeAsync(resource, context));
        context.Writer.WriteEndObject();
    }

    private static Task DescribeAsync(IResource resource, ManifestPublishingContext context) => resource switch
    {
        ProjectResource project => WriteProjectAsync(project, context),
        ContainerResource container => context.WriteContainerAsync(container),
        ExecutableResource executable => WriteExecutableAsync(executable, context),
        ParameterResource parameter => WriteParameter(parameter, context),
        IResourceWithConnectionString connection => WriteValue(connection, context),
        _ => WriteUnknown(context.Writer),
    };

    private static async Task WriteProjectAsync(ProjectResource project, ManifestPublishingContext context)
    {
        var metadata = project.Annotations.OfType<IProjectMetadata>().LastOrDefault()
            ?? throw new DistributedApplicationException($"The project '{project.Name}' does not say where it is.");
        context.Writer.WriteString("type", "project.v0");
        context.Writer.WriteString("path", context.GetManifestRelativePath(metadata.ProjectPath));
        await context.WriteCommandLineArgumentsAsync(project);
        await context.WriteEnvironmentVariablesAsync(project);
        context.WriteBindings(project);
    }

    private static async Task WriteExecutableAsync(ExecutableResource executable, ManifestPublishingContext context)
    {
        context.Writer.WriteString("type", "executable.v0");
        context.Writer.WriteString("workingDirectory", context.GetManifestRelativePath(executable.WorkingDirectory));
        context.Writer.WriteString("command", executable.Command);
        await context.WriteCommandLineArgumentsAsync(executable);
        await context.WriteEnvironmentVariablesAsync(executable);
        context.WriteBindings(executable);
    }

    private static Task WriteParameter(ParameterResource parameter, ManifestPublishingContext context)
    {
        var writer = context.Writer;
        writer.WriteString("type", "parameter.v0");
        context.WriteConnectionString(parameter);
        writer.WriteString("value", $"{{{parameter.Name}.inputs.value}}");
        writer.WriteStartObject("inputs");
        writer.WriteStartObject("value");
        writer.WriteString("type", "string");
        if (parameter.Secret)
        {
            writer.WriteBoolean("secret", value: true);
        }

        WriteDefault(parameter, context);
        writer.WriteEndObject();
        writer.WriteEndObject();
        return Task.CompletedTask;
    }

    private static void WriteDefault(ParameterResource parameter, ManifestPublishingContext context)
    {
        var writer = context.Writer;
        if (parameter.IsValuePublished)
        {
            writer.WriteStartObject("default");
            writer.WriteString("value", parameter.Value);
            writer.WriteEndObject();
        }
        else if (parameter.Default is { } standIn)
        {
            writer.WriteStartObject("default");
            standIn.WriteToManifest(context);
            writer.WriteEndObject();
        }
    }

    private static Task WriteValue(IResourceWithConnectionString connection, ManifestPublishingContext context)
    {
        context.Writer.WriteString("type", "value.v0");
        context.WriteConnectionString(connection);
        return Task.CompletedTask;
    }

    private static Task WriteUnknown(Utf8JsonWriter writer)
    {
        writer.WriteString("error", "This resource does not support generation in the manifest.");
        return Task.CompletedTask;
    }

    /// <summary>Where a deployment decides the port of a project's only endpoint, it cannot decide those of several that speak the same protocol differently.</summary>
    private static void AssignPorts(ProjectResource project)
    {
        var next = FirstPort;
        foreach (var endpoint in project.Annotations.OfType<EndpointAnnotation>().Where(endpoint => endpoint.KestrelName is not null))
        {
            endpoint.TargetPort ??= next++;
        }
    }
}
