using Aspire.Hosting;

namespace Fluster.Hosting;

/// <summary>
/// The directory of a cluster that an AppHost runs: its key, and a directory for each of its processes. An AppHost has it for itself
/// while it runs; a second one of the same project gets a directory inside it.
/// </summary>
internal sealed class ClusterData(string root) : IDisposable
{
    private const string LockFile = "apphost.lock";
    private const string KeyFile = "cluster-key.pem";
    private const string SlotPrefix = "apphost-";
    private const int MostSlots = 100;

    private FileStream? _lock;
    private ClusterKey? _key;
    private string? _directory;

    /// <summary>The directory that this AppHost got.</summary>
    public string Path => _directory ?? throw new InvalidOperationException("The data directory was not opened yet.");

    /// <summary>The cluster's key, made when there is none.</summary>
    public ClusterKey Key => _key ??= ClusterKey.ReadOrMake(System.IO.Path.Combine(Path, KeyFile));

    public string DirectoryOf(string process) => System.IO.Path.Combine(Path, process);

    /// <summary>Takes the directory, or one inside it when another AppHost has it; deletes what is in it when it is to be fresh.</summary>
    /// <exception cref="DistributedApplicationException">It cannot be written, or there are too many AppHosts.</exception>
    public void Open(bool fresh)
    {
        for (var slot = 1; slot <= MostSlots; slot++)
        {
            var directory = slot == 1 ? root : System.IO.Path.Combine(root, $"{SlotPrefix}{slot}");
            try
            {
                Directory.CreateDirectory(directory);
                _lock = new FileStream(System.IO.Path.Combine(directory, LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (UnauthorizedAccessException exception)
            {
                throw new DistributedApplicationException($"The data directory '{directory}' cannot be written: {exception.Message}", exception);
            }
            catch (IOException) when (File.Exists(System.IO.Path.Combine(directory, LockFile)))
            {
                continue; // Another AppHost has it.
            }

            _directory = directory;
            if (fresh)
            {
                DeleteContent(directory);
            }

            return;
        }

        throw new DistributedApplicationException($"There are {MostSlots} AppHosts with data in '{root}'. Stop some of them.");
    }

    public void Dispose()
    {
        _lock?.Dispose();
        _key?.Dispose();
    }

    private static void DeleteContent(string directory)
    {
        foreach (var entry in new DirectoryInfo(directory).EnumerateFileSystemInfos().ToList())
        {
            // What other AppHosts have is theirs.
            if (entry.Name == LockFile || entry.Name.StartsWith(SlotPrefix, StringComparison.Ordinal))
            {
                continue;
            }

            if (entry is DirectoryInfo subdirectory)
            {
                MakeDeletable(subdirectory);
                subdirectory.Delete(recursive: true);
            }
            else
            {
                entry.Delete();
            }
        }
    }

    // Workers keep unpacked bundles read-only.
    private static void MakeDeletable(DirectoryInfo directory)
    {
        if (OperatingSystem.IsWindows() || directory.LinkTarget is not null)
        {
            return;
        }

        directory.UnixFileMode |= UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        foreach (var subdirectory in directory.EnumerateDirectories())
        {
            MakeDeletable(subdirectory);
        }
    }
}
