using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;

namespace Aspire.Hosting.Running;

/// <summary>The docker or podman command of this machine, when there is an engine behind it.</summary>
internal sealed class ContainerEngine(IConfiguration configuration)
{
    private static readonly TimeSpan s_probeLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_pullLimit = TimeSpan.FromMinutes(2);

    private readonly Lock _lock = new();
    private Task<(string? Command, string? Reason)>? _probe;

    /// <summary>The command; or null and the reason why containers cannot be run.</summary>
    public Task<(string? Command, string? Reason)> FindAsync()
    {
        lock (_lock)
        {
            return _probe ??= ProbeAsync();
        }
    }

    /// <summary>Makes sure that the engine has the image. Null: it has; else the reason why not.</summary>
    public static async Task<string?> EnsureImageAsync(string command, string image, Action<string> log, CancellationToken cancellationToken)
    {
        try
        {
            if ((await CommandRun.RunAsync(command, ["image", "inspect", image], s_probeLimit, workingDirectory: null, cancellationToken)).Succeeded)
            {
                return null;
            }

            log($"Pulling {image}…");
            var pull = await CommandRun.RunAsync(command, ["pull", image], s_pullLimit, workingDirectory: null, cancellationToken);
            return pull.Succeeded ? null : $"the image {image} cannot be had: {pull.LastLine}";
        }
        catch (TimeoutException exception)
        {
            return $"the image {image} cannot be had: {exception.Message}";
        }
    }

    /// <summary>The arguments that run a container in the foreground, so that its output and its end are those of the command.</summary>
    public static List<string> RunArguments(ContainerResource resource, string containerName, IEnumerable<string> variables, bool input)
    {
        List<string> arguments = ["run", "--rm", "--name", containerName, "--label", $"appmodel.resource={resource.Name}"];
        if (input)
        {
            arguments.Add("--interactive");
        }

        foreach (var endpoint in resource.Annotations.OfType<EndpointAnnotation>())
        {
            arguments.AddRange(["--publish", $"127.0.0.1:{endpoint.AllocatedEndpoint!.Port}:{endpoint.TargetPort}"]);
        }

        foreach (var mount in resource.Annotations.OfType<ContainerMountAnnotation>())
        {
            var source = mount.Source is { } name ? $"source={name}," : "";
            var type = mount.Type == ContainerMountType.BindMount ? "bind" : "volume";
            arguments.AddRange(["--mount", $"type={type},{source}target={mount.Target}{(mount.IsReadOnly ? ",readonly" : "")}"]);
        }

        // Only the names: the values are in the command's own environment, where other users cannot read them.
        foreach (var variable in variables)
        {
            arguments.AddRange(["--env", variable]);
        }

        if (resource.Entrypoint is { } entrypoint)
        {
            arguments.AddRange(["--entrypoint", entrypoint]);
        }

        arguments.Add(ImageName(resource));
        return arguments;
    }

    public static string ImageName(ContainerResource resource)
    {
        var image = resource.Annotations.OfType<ContainerImageAnnotation>().LastOrDefault()
            ?? throw new DistributedApplicationException($"The resource '{resource.Name}' does not have a container image specified.");
        return ImageName(image);
    }

    public static string ImageName(ContainerImageAnnotation image) => $"{(image.Registry is { Length: > 0 } registry ? registry + "/" : "")}{image.Image}:{image.Tag ?? "latest"}";

    private async Task<(string? Command, string? Reason)> ProbeAsync()
    {
        string[] names = configuration["ASPIRE_CONTAINER_RUNTIME"] is { Length: > 0 } wish ? [wish] : ["docker", "podman"];
        var reasons = new List<string>();
        foreach (var name in names)
        {
            if (Programs.Find(name) is not { } command)
            {
                reasons.Add($"{name} is not on PATH");
                continue;
            }

            try
            {
                // A client without an engine behind it is not enough; this asks the engine.
                var answer = await CommandRun.RunAsync(command, ["info"], s_probeLimit, workingDirectory: null, CancellationToken.None);
                if (answer.Succeeded)
                {
                    return (command, null);
                }

                reasons.Add($"{name}: {answer.LastLine}");
            }
            catch (TimeoutException exception)
            {
                reasons.Add($"{name}: {exception.Message}");
            }
        }

        return (null, $"no container engine answers ({string.Join("; ", reasons)})");
    }
}
