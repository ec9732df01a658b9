using System.Collections.Concurrent;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using Google.Protobuf;

namespace Fluster.Cluster;

/// <summary>A tree of files that travels: its manifest, and the blobs that it names.</summary>
/// <param name="Manifest">The manifest, itself a blob; its hash names the bundle.</param>
/// <param name="Files">The files by their path in the bundle.</param>
internal sealed record Bundle(BlobSource Manifest, IReadOnlyDictionary<string, BlobSource> Files)
{
    /// <summary>The most bytes that a bundle can have.</summary>
    public const long MaxBytes = 1L << 30;

    private static readonly ConcurrentDictionary<AppLocation, Lazy<Bundle>> s_apps = new();

    /// <summary>Everything that has to be at the controller before a job can name this bundle.</summary>
    public IEnumerable<BlobSource> Blobs => Files.Values.Append(Manifest);

    /// <summary>The build output of an app. Made once per process: what runs does not change any more.</summary>
    /// <exception cref="InvalidOperationException">It cannot run on a worker, is too large, or is no longer what this process was started from.</exception>
    public static Bundle OfApp(AppLocation app)
    {
        var lazy = s_apps.GetOrAdd(app, static key => new Lazy<Bundle>(() => Build(key)));
        try
        {
            return lazy.Value;
        }
        catch (Exception)
        {
            s_apps.TryRemove(new KeyValuePair<AppLocation, Lazy<Bundle>>(app, lazy)); // the next submit looks again
            throw;
        }
    }

    /// <summary>A directory as it is now.</summary>
    /// <exception cref="InvalidOperationException">It is too large.</exception>
    public static Bundle OfDirectory(string directory)
    {
        var root = Path.GetFullPath(directory);
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var file in Directory.EnumerateFiles(root, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.None }))
        {
            files.Add(Path.GetRelativePath(root, file).Replace(Path.DirectorySeparatorChar, '/'), file);
        }

        return Of(root, files);
    }

    private static Bundle Build(AppLocation app)
    {
        var bundle = Of(app.Directory, BundleFiles.Of(app));
        foreach (var assembly in AppDomain.CurrentDomain.GetAssemblies().Where(assembly => !assembly.IsDynamic))
        {
            CheckUnchanged(assembly, app);
        }

        return bundle;
    }

    private static Bundle Of(string root, SortedDictionary<string, string> files)
    {
        var bytes = files.Values.Sum(path => new FileInfo(path).Length);
        if (bytes > MaxBytes)
        {
            var largest = string.Join(", ", files.OrderByDescending(file => new FileInfo(file.Value).Length).Take(3).Select(file => $"{file.Key} ({new FileInfo(file.Value).Length:N0} bytes)"));
            throw new InvalidOperationException($"{root} has {bytes:N0} bytes in {files.Count:N0} files, and {MaxBytes:N0} (1 GiB) can travel. The largest: {largest}.");
        }

        var hashes = FileHashes.Open(FileHashes.CachePath(root), TimeProvider.System);
        var manifest = new V1.BundleManifest();
        var sources = new Dictionary<string, BlobSource>(StringComparer.Ordinal);
        foreach (var (path, file) in files)
        {
            var (hash, size) = hashes.Of(file);
            var source = BlobSource.OfFile(file, hash, size);
            sources.Add(path, source);
            manifest.Files.Add(new V1.BundleFile { Path = path, Blob = source.ToWire(), Executable = IsExecutable(file) });
        }

        hashes.Save(files.Values);
        return new Bundle(BlobSource.Of(manifest.ToByteArray()), sources);
    }

    private static bool IsExecutable(string path) => !OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & UnixFileMode.UserExecute) != UnixFileMode.None;

    // A build while the program runs replaces the files under it; the job would then run other code than what was submitted.
    private static void CheckUnchanged(Assembly assembly, AppLocation app)
    {
#pragma warning disable IL3000 // An empty location is skipped.
        var location = assembly.Location;
#pragma warning restore IL3000
        if (Path.GetDirectoryName(location) != app.Directory || !File.Exists(location))
        {
            return;
        }

        using var reader = new PEReader(File.OpenRead(location));
        var metadata = reader.GetMetadataReader();
        if (metadata.GetGuid(metadata.GetModuleDefinition().Mvid) != assembly.ManifestModule.ModuleVersionId)
        {
            throw AppLocation.Refused(app.App, $"{Path.GetFileName(location)} was built again since this program started: start the program again");
        }
    }
}
