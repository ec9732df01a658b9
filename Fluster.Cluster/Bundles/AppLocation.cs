using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Fluster.Cluster;

/// <summary>The build output that a program runs from: <c>App.dll</c> with its <c>App.deps.json</c> and <c>App.runtimeconfig.json</c>.</summary>
/// <param name="Directory">The output directory.</param>
/// <param name="App">The file name of the app without extension.</param>
internal sealed record AppLocation(string Directory, string App)
{
    private static readonly ConcurrentDictionary<Assembly, AppLocation> s_found = new();

    public string DepsFile => Path.Combine(Directory, App + ".deps.json");

    public string RuntimeConfigFile => Path.Combine(Directory, App + ".runtimeconfig.json");

    /// <summary>
    /// The app that a method belongs to: the running program, or, when that is a test host or another program that loaded the method's
    /// assembly by its path, what lies beside that assembly.
    /// </summary>
    /// <exception cref="InvalidOperationException">There is none that could travel; the message says what is missing.</exception>
    public static AppLocation Of(Assembly declaring) => s_found.GetOrAdd(declaring, static assembly => Find(assembly));

    private static AppLocation Find(Assembly declaring)
    {
        var name = declaring.GetName().Name ?? "";
        if (!RuntimeFeature.IsDynamicCodeSupported)
        {
            throw Refused(name, "it was compiled ahead of time (AOT), so that there is no build output to send");
        }

#pragma warning disable IL3000 // The empty location of a single-file app is what is looked for.
        var location = declaring.Location;
#pragma warning restore IL3000
        if (declaring.IsDynamic || location.Length == 0)
        {
            throw Refused(name, "it was published as a single file or made in memory, so that there is no build output to send");
        }

        var directory = Path.GetDirectoryName(location)!;
        var entry = Assembly.GetEntryAssembly()?.GetName().Name ?? name;
        var app = System.IO.Directory.EnumerateFiles(directory, "*.runtimeconfig.json")
            .Select(file => new AppLocation(directory, Path.GetFileName(file)[..^".runtimeconfig.json".Length]))
            .Select(candidate => (candidate, assemblies: candidate.Assemblies()))
            .Where(candidate => candidate.assemblies.Contains(name))
            // A test project's output has the programs that it tests, too. What runs is what lists the most of what is loaded.
            .OrderByDescending(candidate => LoadedFrom(directory).Count(candidate.assemblies.Contains))
            .ThenByDescending(candidate => candidate.candidate.App == entry)
            .ThenByDescending(candidate => candidate.candidate.App == name)
            .ThenBy(candidate => candidate.candidate.App, StringComparer.Ordinal)
            .Select(candidate => candidate.candidate)
            .FirstOrDefault();
        return app?.CheckRuntime() ?? throw Refused(name, MissingFiles(directory, File.Exists(Path.Combine(directory, entry + ".dll")) ? entry : name));
    }

    /// <summary>The names of the assemblies that the app loads; none when it is no app.</summary>
    private HashSet<string> Assemblies()
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        if (File.Exists(DepsFile) && File.Exists(Path.Combine(Directory, App + ".dll")))
        {
            names.Add(App);
            names.UnionWith(DepsFileReader.Read(DepsFile).Assets.Where(asset => asset.Kind == AssetKind.Runtime).Select(asset => Path.GetFileNameWithoutExtension(asset.FileName)));
        }

        return names;
    }

    private static IEnumerable<string> LoadedFrom(string directory) => AppDomain.CurrentDomain.GetAssemblies()
#pragma warning disable IL3000 // An empty location is not in the directory.
        .Where(assembly => !assembly.IsDynamic && Path.GetDirectoryName(assembly.Location) == directory)
#pragma warning restore IL3000
        .Select(assembly => assembly.GetName().Name ?? "");

    /// <summary>This app, when a worker has what it runs on.</summary>
    /// <exception cref="InvalidOperationException">It does not; the message names what is missing.</exception>
    public AppLocation CheckRuntime()
    {
        using var config = JsonDocument.Parse(File.ReadAllBytes(RuntimeConfigFile), new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        if (!config.RootElement.TryGetProperty("runtimeOptions", out var options))
        {
            return this;
        }

        if (options.TryGetProperty("includedFrameworks", out _))
        {
            throw Refused(App, "it was published self-contained, and workers run it on their own runtime: publish it with --self-contained false");
        }

        foreach (var framework in Frameworks(options))
        {
            if (framework == "Microsoft.WindowsDesktop.App")
            {
                throw Refused(App, $"it needs the shared framework {framework}, which workers do not have");
            }
        }

        return this;
    }

    private static IEnumerable<string?> Frameworks(JsonElement options)
    {
        if (options.TryGetProperty("framework", out var one))
        {
            yield return one.GetProperty("name").GetString();
        }

        if (options.TryGetProperty("frameworks", out var several))
        {
            foreach (var framework in several.EnumerateArray())
            {
                yield return framework.GetProperty("name").GetString();
            }
        }
    }

    private static string MissingFiles(string directory, string app)
    {
        var missing = new[] { app + ".deps.json", app + ".runtimeconfig.json" }.Where(file => !File.Exists(Path.Combine(directory, file))).ToList();
        return missing.Count > 0
            ? $"{string.Join(" and ", missing)} {(missing.Count > 1 ? "are" : "is")} not in {directory} (a build makes them unless GenerateDependencyFile or GenerateRuntimeConfigurationFiles is false)"
            : $"no deps.json in {directory} lists it";
    }

    internal static InvalidOperationException Refused(string name, string reason) => new($"{name} cannot be sent to a cluster: {reason}.");
}
