using System.Text.Json;

namespace Fluster.Cluster;

/// <summary>What a file of a deps.json is for.</summary>
internal enum AssetKind
{
    Runtime,
    Native,
    Resource,
}

/// <summary>A file that a deps.json lists.</summary>
/// <param name="Kind">What it is for.</param>
/// <param name="Path">Where it is in its package.</param>
/// <param name="Rid">The only platform that it is for; null: any.</param>
/// <param name="Culture">The culture of a resource.</param>
/// <param name="PackagePath">Where its package is below a package folder; null when it is no package's.</param>
internal sealed record DepsAsset(AssetKind Kind, string Path, string? Rid, string? Culture, string? PackagePath)
{
    public string FileName => Path[(Path.LastIndexOf('/') + 1)..];

    /// <summary>Where the build puts it, relative to the output directory.</summary>
    public string OutputPath => Rid is not null ? Path : Culture is not null ? $"{Culture}/{FileName}" : FileName;
}

/// <summary>A deps.json: which files an app consists of.</summary>
/// <param name="Rid">The only platform that the app was built for; null: any.</param>
/// <param name="Assets">Its files.</param>
internal sealed record DepsFile(string? Rid, IReadOnlyList<DepsAsset> Assets);

/// <summary>Reads deps.json files.</summary>
internal static class DepsFileReader
{
    /// <exception cref="InvalidOperationException">It cannot be read.</exception>
    public static DepsFile Read(string path)
    {
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            var root = json.RootElement;
            var targetName = root.GetProperty("runtimeTarget").GetProperty("name").GetString() ?? "";
            var slash = targetName.IndexOf('/', StringComparison.Ordinal);
            var libraries = root.TryGetProperty("libraries", out var found) ? found : default;
            var assets = new List<DepsAsset>();
            foreach (var library in root.GetProperty("targets").GetProperty(targetName).EnumerateObject())
            {
                var packagePath = libraries.ValueKind == JsonValueKind.Object && libraries.TryGetProperty(library.Name, out var about) && about.TryGetProperty("path", out var folder)
                    ? folder.GetString()
                    : null;
                Add(assets, library.Value, packagePath);
            }

            return new DepsFile(slash < 0 ? null : targetName[(slash + 1)..], assets);
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException or IOException)
        {
            throw new InvalidOperationException($"{path} cannot be read: {exception.Message}", exception);
        }
    }

    private static void Add(List<DepsAsset> assets, JsonElement library, string? packagePath)
    {
        foreach (var asset in Files(library, "runtime"))
        {
            assets.Add(new DepsAsset(AssetKind.Runtime, asset.Name, null, null, packagePath));
        }

        foreach (var asset in Files(library, "native"))
        {
            assets.Add(new DepsAsset(AssetKind.Native, asset.Name, null, null, packagePath));
        }

        foreach (var asset in Files(library, "resources"))
        {
            assets.Add(new DepsAsset(AssetKind.Resource, asset.Name, null, asset.Value.GetProperty("locale").GetString(), packagePath));
        }

        foreach (var asset in Files(library, "runtimeTargets"))
        {
            var kind = asset.Value.GetProperty("assetType").GetString() == "native" ? AssetKind.Native : AssetKind.Runtime;
            assets.Add(new DepsAsset(kind, asset.Name, asset.Value.GetProperty("rid").GetString(), null, packagePath));
        }
    }

    // "_._" is a package's way to say: nothing here.
    private static IEnumerable<JsonProperty> Files(JsonElement library, string group) =>
        library.TryGetProperty(group, out var files) ? files.EnumerateObject().Where(file => !file.Name.EndsWith("/_._", StringComparison.Ordinal)) : [];
}
