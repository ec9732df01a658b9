using System.Globalization;
using System.Text.Json;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Running;

namespace Aspire.Hosting.Publishing;

/// <summary>Writes one resource of a manifest. What it refers to without being part of the application is written afterwards.</summary>
public sealed class ManifestPublishingContext
{
    private readonly Dictionary<string, IResource> _dependents = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Makes a context.</summary>
    /// <param name="executionContext">What the AppHost was started for.</param>
    /// <param name="manifestPath">The manifest's file: paths in it are relative to that.</param>
    /// <param name="writer">Where the manifest is written.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public ManifestPublishingContext(
        DistributedApplicationExecutionContext executionContext, string manifestPath, Utf8JsonWriter writer, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(executionContext);
        ArgumentException.ThrowIfNullOrEmpty(manifestPath);
        ArgumentNullException.ThrowIfNull(writer);
        (ExecutionContext, ManifestPath, Writer, CancellationToken) = (executionContext, manifestPath, writer, cancellationToken);
    }

    /// <summary>What the AppHost was started for.</summary>
    public DistributedApplicationExecutionContext ExecutionContext { get; }

    /// <summary>The manifest's file.</summary>
    public string ManifestPath { get; }

    /// <summary>Where the manifest is written.</summary>
    public Utf8JsonWriter Writer { get; }

    /// <summary>Gives up.</summary>
    public CancellationToken CancellationToken { get; }

    /// <summary>Resources that are referred to without being part of the application.</summary>
    internal IReadOnlyCollection<IResource> Dependents => _dependents.Values;

    /// <summary>A path as the manifest has it: relative to it, with '/'.</summary>
    public string? GetManifestRelativePath(string? path) => path is null
        ? null
        : Path.GetRelativePath(Path.GetDirectoryName(Path.GetFullPath(ManifestPath))!, path).Replace('\\', '/');

    /// <summary>Writes what clients connect to, for a resource that has a connection string.</summary>
    public void WriteConnectionString(IResource resource)
    {
        if (resource is IResourceWithConnectionString { ConnectionStringExpression: var connection })
        {
            Writer.WriteString("connectionString", connection.ValueExpression);
            TryAddDependentResources(connection);
        }
    }

    /// <summary>Writes the endpoints.</summary>
    public void WriteBindings(IResource resource)
    {
        ArgumentNullException.ThrowIfNull(resource);
        var endpoints = resource.Annotations.OfType<EndpointAnnotation>().ToList();
        if (endpoints.Count == 0)
        {
            return;
        }

        Writer.WriteStartObject("bindings");
        foreach (var endpoint in endpoints)
        {
            Writer.WriteStartObject(endpoint.Name);
            Writer.WriteString("scheme", endpoint.UriScheme is "redis" ? "tcp" : endpoint.UriScheme);
            Writer.WriteString("protocol", endpoint.Protocol.ToString().ToLowerInvariant());
            Writer.WriteString("transport", endpoint.Transport);
            if (endpoint.Port is { } port && resource is not ProjectResource)
            {
                Writer.WriteNumber("port", port);
            }

            if (endpoint.TargetPort is { } target)
            {
                Writer.WriteNumber("targetPort", target);
            }

            if (endpoint.IsExternal)
            {
                Writer.WriteBoolean("external", value: true);
            }

            Writer.WriteEndObject();
        }

        Writer.WriteEndObject();
    }

    /// <summary>Writes the environment, with references instead of values.</summary>
    public async Task WriteEnvironmentVariablesAsync(IResource resource)
    {
        ArgumentNullException.ThrowIfNull(resource);
        var context = new EnvironmentCallbackContext(ExecutionContext, resource, cancellationToken: CancellationToken);
        foreach (var annotation in resource.Annotations.OfType<EnvironmentCallbackAnnotation>().ToList())
        {
            await annotation.Callback(context);
        }

        if (context.EnvironmentVariables.Count == 0)
        {
            return;
        }

        Writer.WriteStartObject("env");
        foreach (var (name, value) in context.EnvironmentVariables)
        {
            Writer.WriteString(name, TextOf(value));
            TryAddDependentResources(value);
        }

        Writer.WriteEndObject();
    }

    /// <summary>Writes the arguments.</summary>
    public async Task WriteCommandLineArgumentsAsync(IResource resource)
    {
        ArgumentNullException.ThrowIfNull(resource);
        var context = new CommandLineArgsCallbackContext([], resource, CancellationToken) { ExecutionContext = ExecutionContext };
        foreach (var annotation in resource.Annotations.OfType<CommandLineArgsCallbackAnnotation>().ToList())
        {
            await annotation.Callback(context);
        }

        if (context.Args.Count == 0)
        {
            return;
        }

        Writer.WriteStartArray("args");
        foreach (var argument in context.Args)
        {
            Writer.WriteStringValue(TextOf(argument));
            TryAddDependentResources(argument);
        }

        Writer.WriteEndArray();
    }

    /// <summary>Writes a container.</summary>
    public async Task WriteContainerAsync(ContainerResource container)
    {
        ArgumentNullException.ThrowIfNull(container);
        Writer.WriteString("type", "container.v0");
        WriteConnectionString(container);
        var image = container.Annotations.OfType<ContainerImageAnnotation>().LastOrDefault()
            ?? throw new DistributedApplicationException($"The container '{container.Name}' has no image.");
        Writer.WriteString("image", ContainerEngine.ImageName(image));
        if (container.Entrypoint is { } entrypoint)
        {
            Writer.WriteString("entrypoint", entrypoint);
        }

        await WriteCommandLineArgumentsAsync(container);
        WriteMounts(container);
        await WriteEnvironmentVariablesAsync(container);
        WriteBindings(container);
    }

    /// <summary>Remembers parameters that a value refers to without their being part of the application.</summary>
    public void TryAddDependentResources(object? value)
    {
        switch (value)
        {
            case ParameterResource parameter:
                _dependents.TryAdd(parameter.Name, parameter);
                break;
            case IResourceBuilder<IResource> builder:
                TryAddDependentResources(builder.Resource);
                break;
            case IResource:
                break; // of the application: it is written itself
            case IValueWithReferences { References: var references }:
                foreach (var reference in references)
                {
                    TryAddDependentResources(reference);
                }

                break;
        }
    }

    private static string TextOf(object? value) => value switch
    {
        null => "",
        string text => text,
        IManifestExpressionProvider expression => expression.ValueExpression,
        IResourceBuilder<IResource> { Resource: IManifestExpressionProvider expression } => expression.ValueExpression,
        bool flag => flag ? "true" : "false",
        IFormattable formattable => formattable.ToString(format: null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };

    private void WriteMounts(ContainerResource container)
    {
        foreach (var (kind, type) in (ReadOnlySpan<(string, ContainerMountType)>)[("bindMounts", ContainerMountType.BindMount), ("volumes", ContainerMountType.Volume)])
        {
            var mounts = container.Annotations.OfType<ContainerMountAnnotation>().Where(mount => mount.Type == type).ToList();
            if (mounts.Count == 0)
            {
                continue;
            }

            Writer.WriteStartArray(kind);
            foreach (var mount in mounts)
            {
                Writer.WriteStartObject();
                if (type == ContainerMountType.BindMount)
                {
                    Writer.WriteString("source", GetManifestRelativePath(mount.Source));
                }
                else if (mount.Source is { } name)
                {
                    Writer.WriteString("name", name);
                }

                Writer.WriteString("target", mount.Target);
                Writer.WriteBoolean("readOnly", mount.IsReadOnly);
                Writer.WriteEndObject();
            }

            Writer.WriteEndArray();
        }
    }
}
