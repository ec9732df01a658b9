namespace Fluster.Cluster;

/// <summary>Chooses the files of a build output that an app needs on a worker, which runs Linux.</summary>
internal static class BundleFiles
{
    /// <summary>The files by their path in the bundle ('/' between parts), each with where it is now.</summary>
    /// <exception cref="InvalidOperationException">The app cannot run on a worker; the message says why.</exception>
    public static SortedDictionary<string, string> Of(AppLocation app)
    {
        var deps = DepsFileReader.Read(app.DepsFile);
        if (deps.Rid is { } rid && !IsLinux(rid))
        {
            throw AppLocation.Refused(app.App, $"it was built for {rid}, and workers run Linux: build it without a runtime identifier, or for linux-x64");
        }

        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        AddContent(files, app);
        foreach (var asset in deps.Assets.Where(asset => asset.Rid is null || IsLinux(asset.Rid)))
        {
            if (!files.ContainsKey(asset.OutputPath))
            {
                files.Add(asset.OutputPath, Find(app, asset));
            }
        }

        CheckNativeAssets(app, deps);
        return files;
    }

    /// <summary>Everything in the output directory but what only a developer or another platform uses.</summary>
    private static void AddContent(SortedDictionary<string, string> files, AppLocation app)
    {
        var pending = new Stack<string>([""]);
        while (pending.TryPop(out var folder))
        {
            var directory = new DirectoryInfo(Path.Combine(app.Directory, folder));
            foreach (var entry in directory.EnumerateFileSystemInfos())
            {
                var path = folder.Length == 0 ? entry.Name : $"{folder}/{entry.Name}";
                if (entry is DirectoryInfo child)
                {
                    if (IsWantedFolder(app, path, child))
                    {
                        pending.Push(path);
                    }
                }
                else if (IsWantedFile(app, path, directory))
                {
                    files.Add(path, entry.FullName);
                }
            }
        }
    }

    private static bool IsWantedFolder(AppLocation app, string path, DirectoryInfo folder)
    {
        var parts = path.Split('/');
        return !folder.Name.StartsWith('.') // tools' own
            && folder.LinkTarget is null // leads out of the output, perhaps in a circle
            && parts[0] is not ("ref" or "refint" or "TestResults")
            && !(parts.Length == 2 && parts[0] == "runtimes" && !IsLinux(parts[1]))
            && !File.Exists(Path.Combine(folder.FullName, app.App + ".deps.json")); // another output of the same app: publish/, linux-x64/
    }

    private static bool IsWantedFile(AppLocation app, string path, DirectoryInfo directory)
    {
        var name = Path.GetFileName(path);
        return !name.StartsWith('.')
            && path != app.App && path != app.App + ".exe" // the native starter of this platform; workers use "dotnet exec"
            && !name.EndsWith(".runtimeconfig.dev.json", StringComparison.Ordinal)
            && !(name.EndsWith(".xml", StringComparison.OrdinalIgnoreCase) && File.Exists(Path.Combine(directory.FullName, Path.ChangeExtension(name, ".dll")))); // documentation
    }

    private static string Find(AppLocation app, DepsAsset asset)
    {
        var package = asset.PackagePath is null ? null : Path.Combine(PackageFolder, asset.PackagePath, asset.Path);
        return package is not null && File.Exists(package)
            ? package
            : throw AppLocation.Refused(app.App, $"{asset.OutputPath}, which {app.App}.deps.json lists, is not in {app.Directory}");
    }

    // A library whose native files are all for other platforms would fail only when it is first called.
    private static void CheckNativeAssets(AppLocation app, DepsFile deps)
    {
        var foreign = deps.Assets
            .Where(asset => asset.Kind == AssetKind.Native && asset.Rid is not null && asset.PackagePath is not null)
            .GroupBy(asset => asset.PackagePath, StringComparer.Ordinal)
            .FirstOrDefault(package => !package.Any(asset => IsLinux(asset.Rid!)));
        if (foreign is not null && deps.Assets.All(asset => asset.PackagePath != foreign.Key || asset.Rid is not null || asset.Kind != AssetKind.Native))
        {
            var rids = string.Join(", ", foreign.Select(asset => asset.Rid).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
            throw AppLocation.Refused(app.App, $"its package {foreign.Key} has native files for {rids} only, and workers run Linux");
        }
    }

    private static string PackageFolder =>
        Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify), ".nuget", "packages");

    private static bool IsLinux(string rid) => rid is "linux" or "unix" or "any" || rid.StartsWith("linux-", StringComparison.Ordinal) || rid.StartsWith("unix-", StringComparison.Ordinal);
}
