using System.Text.Json;
using Microsoft.Extensions.Configuration;

namespace Aspire.Hosting.Running;

/// <summary>Reads Properties/launchSettings.json and picks the profile.</summary>
internal static class LaunchSettingsFile
{
    private static readonly JsonSerializerOptions s_options = new()
    {
        AllowTrailingCommas = true,
        PropertyNameCaseInsensitive = true,
        ReadCommentHandling = JsonCommentHandling.Skip,
    };

    /// <summary>The settings beside a project file; null when there are none.</summary>
    /// <exception cref="DistributedApplicationException">The file cannot be read.</exception>
    public static LaunchSettings? Read(string projectPath)
    {
        var path = Path.Combine(Path.GetDirectoryName(projectPath)!, "Properties", "launchSettings.json");
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            using var file = File.OpenRead(path);
            return JsonSerializer.Deserialize<LaunchSettings>(file, s_options);
        }
        catch (JsonException exception)
        {
            throw new DistributedApplicationException($"The launch settings '{path}' cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>
    /// The profile by which a project starts: the one asked for, else one called like the AppHost's own, else the first
    /// that starts the project.
    /// </summary>
    /// <exception cref="DistributedApplicationException">There is no profile of the name that was asked for.</exception>
    public static (string Name, LaunchProfile Profile)? Pick(LaunchSettings? settings, ProjectResourceOptions options, IConfiguration configuration, string resource)
    {
        if (options.ExcludeLaunchProfile)
        {
            return null;
        }

        if (options.LaunchProfileName is { } wish)
        {
            return settings?.Profiles.TryGetValue(wish, out var wished) == true
                ? (wish, wished)
                : throw new DistributedApplicationException($"Launch settings of '{resource}' do not contain the launch profile '{wish}'.");
        }

        var ours = configuration["AppHost:DefaultLaunchProfileName"] ?? configuration["DOTNET_LAUNCH_PROFILE"];
        if (ours is not null && settings?.Profiles.TryGetValue(ours, out var same) == true)
        {
            return (ours, same);
        }

        var first = settings?.Profiles.FirstOrDefault(profile => profile.Value.CommandName is "Project" or "Executable");
        return first is { Key: { } name, Value: { } value } ? (name, value) : null;
    }

    /// <summary>Splits arguments as a command line has them: spaces separate, double quotes hold together.</summary>
    public static IReadOnlyList<string> Split(string? commandLine)
    {
        var arguments = new List<string>();
        var current = new System.Text.StringBuilder();
        var inQuotes = false;
        var started = false;
        foreach (var c in commandLine ?? "")
        {
            switch (c)
            {
                case '"':
                    inQuotes = !inQuotes;
                    started = true;
                    break;
                case ' ' or '\t' when !inQuotes:
                    if (started)
                    {
                        arguments.Add(current.ToString());
                        current.Clear();
                        started = false;
                    }

                    break;
                default:
                    current.Append(c);
                    started = true;
                    break;
            }
        }

        if (started)
        {
            arguments.Add(current.ToString());
        }

        return arguments;
    }
}
