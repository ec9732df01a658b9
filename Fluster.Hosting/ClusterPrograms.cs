using System.Reflection;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Fluster.Hosting;

/// <summary>
/// The controller and the worker that an AppHost runs when it names none: projects of this repository, or what the package carries.
/// The build of the AppHost writes down where they are (<c>build/Fluster.Hosting.targets</c>).
/// </summary>
internal sealed record ClusterPrograms(string Controller, string Worker)
{
    private const string ControllerKey = "flustercontroller";
    private const string WorkerKey = "flusterworker";
    private const string ProjectOutputPrefix = "apphostprojectoutput:";
    private const string ProjectExtension = ".csproj";

    /// <exception cref="DistributedApplicationException">The AppHost was built without them.</exception>
    public static ClusterPrograms Of(IDistributedApplicationBuilder builder) =>
        Metadata(builder, ControllerKey) is { Length: > 0 } controller && Metadata(builder, WorkerKey) is { Length: > 0 } worker
            ? new ClusterPrograms(controller, worker)
            : throw new DistributedApplicationException(
                "This AppHost does not know where Fluster's controller and worker are. Reference the package Fluster.Hosting, or import Fluster.Hosting/build/Fluster.Hosting.targets in its project; or name programs of your own by WithController and WithWorker.");

    /// <summary>The worker's assembly, for backends that start it on this machine; null when it is not built yet.</summary>
    public static string? WorkerAssembly(IDistributedApplicationBuilder builder) => Metadata(builder, WorkerKey) is { Length: > 0 } worker
        ? worker.EndsWith(ProjectExtension, StringComparison.OrdinalIgnoreCase) ? Metadata(builder, ProjectOutputPrefix + worker) : worker
        : null;

    public void AddController(IResourceBuilder<FlusterResource> cluster, string name)
    {
        var builder = cluster.ApplicationBuilder;
        if (Controller.EndsWith(ProjectExtension, StringComparison.OrdinalIgnoreCase))
        {
            cluster.WithController(builder.AddProject(name, Controller));
            return;
        }

        var controller = AddProgram(builder, name, Controller);
        foreach (var endpoint in (string[])["http", "grpc"])
        {
            controller.WithHttpEndpoint(name: endpoint);
            var listening = controller.GetEndpoint(endpoint).Property(EndpointProperty.TargetPort);
            controller.WithEnvironment($"Kestrel__Endpoints__{endpoint}__Url", ReferenceExpression.Create($"http://127.0.0.1:{listening}"));
        }

        cluster.WithController(controller);
    }

    public void AddWorker(IResourceBuilder<FlusterResource> cluster, string name)
    {
        var builder = cluster.ApplicationBuilder;
        if (Worker.EndsWith(ProjectExtension, StringComparison.OrdinalIgnoreCase))
        {
            cluster.WithWorker(builder.AddProject(name, Worker));
        }
        else
        {
            cluster.WithWorker(AddProgram(builder, name, Worker));
        }
    }

    private static IResourceBuilder<ExecutableResource> AddProgram(IDistributedApplicationBuilder builder, string name, string assembly)
    {
        var path = Path.GetFullPath(assembly, builder.AppHostDirectory);
        return builder.AddExecutable(name, "dotnet", Path.GetDirectoryName(path)!, path).WithEnvironment("DOTNET_ENVIRONMENT", builder.Environment.EnvironmentName).WithOtlpExporter();
    }

    private static string? Metadata(IDistributedApplicationBuilder builder, string key) => builder.AppHostAssembly?
        .GetCustomAttributes<AssemblyMetadataAttribute>()
        .FirstOrDefault(attribute => attribute.Key == key)?.Value;
}
