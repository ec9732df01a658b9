using System.Collections;
using System.Globalization;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Running;

/// <summary>What a resource is started with: its own variables and arguments, every value resolved.</summary>
internal sealed record Composition(IReadOnlyDictionary<string, string> Variables, IReadOnlyList<string> Arguments);

/// <summary>Asks everybody who has something to say about a resource's environment and arguments.</summary>
internal sealed class EnvironmentComposer(DistributedApplicationExecutionContext execution, ResourceLoggerService loggers)
{
    /// <summary>What belongs to the AppHost alone and would mislead its children.</summary>
    private static readonly HashSet<string> s_notInherited = new(StringComparer.OrdinalIgnoreCase)
    {
        "ASPNETCORE_URLS", "ASPNETCORE_ENVIRONMENT", "DOTNET_ENVIRONMENT", "DOTNET_LAUNCH_PROFILE", "ASPIRE_LOGLEVEL",
    };

    /// <exception cref="DistributedApplicationException">A value that is needed cannot be had.</exception>
    public async Task<Composition> ComposeAsync(IResource resource, string resourceId, CancellationToken cancellationToken)
    {
        EndpointAnnotation.Instance = resourceId; // for this call and what it calls
        var environment = new EnvironmentCallbackContext(execution, resource, cancellationToken: cancellationToken) { Logger = loggers.GetLogger(resourceId) };
        foreach (var annotation in resource.Annotations.OfType<EnvironmentCallbackAnnotation>().ToList())
        {
            await annotation.Callback(environment);
        }

        var arguments = new CommandLineArgsCallbackContext([], resource, cancellationToken)
        {
            ExecutionContext = execution,
            Logger = loggers.GetLogger(resourceId),
        };
        foreach (var annotation in resource.Annotations.OfType<CommandLineArgsCallbackAnnotation>().ToList())
        {
            await annotation.Callback(arguments);
        }

        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in environment.EnvironmentVariables)
        {
            // Nothing to say is said as nothing: a variable of that name in the AppHost's environment must not show through.
            variables[name] = await ResolveAsync(value, cancellationToken) ?? string.Empty;
        }

        var texts = new List<string>();
        foreach (var argument in arguments.Args)
        {
            if (await ResolveAsync(argument, cancellationToken) is { } text)
            {
                texts.Add(text);
            }
        }

        return new Composition(variables, texts);
    }

    /// <summary>The variables on top of those that the AppHost itself was started with.</summary>
    public static Dictionary<string, string> OnTopOfOwn(IReadOnlyDictionary<string, string> variables)
    {
        var all = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (DictionaryEntry own in Environment.GetEnvironmentVariables())
        {
            if (own is { Key: string name, Value: string value } && !s_notInherited.Contains(name))
            {
                all[name] = value;
            }
        }

        foreach (var (name, value) in variables)
        {
            all[name] = value;
        }

        return all;
    }

    private static async ValueTask<string?> ResolveAsync(object? value, CancellationToken cancellationToken) => value switch
    {
        null => null,
        string text => text,
        IValueProvider provider => await provider.GetValueAsync(cancellationToken),
        IResourceBuilder<IResource> { Resource: IValueProvider provider } => await provider.GetValueAsync(cancellationToken),
        bool flag => flag ? "true" : "false",
        IFormattable formattable => formattable.ToString(format: null, CultureInfo.InvariantCulture),
        _ => value.ToString(),
    };
}
