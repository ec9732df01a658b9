using System.Text;

namespace Fluster.Local;

/// <summary>The directory and the key of a cluster inside a process: a temporary one, or one that was named and keeps its key.</summary>
internal sealed class ClusterDirectory : IDisposable
{
    private const string KeyFile = "cluster-key.pem";

    private readonly bool _isTemporary;

    private ClusterDirectory(string path, ClusterKey key, bool isTemporary) => (FullPath, Key, _isTemporary) = (path, key, isTemporary);

    public string FullPath { get; }

    public ClusterKey Key { get; }

    public string Controller => Path.Combine(FullPath, "controller");

    public string Worker => Path.Combine(FullPath, "worker");

    /// <exception cref="LocalClusterException">It cannot be used.</exception>
    public static ClusterDirectory Open(string? path)
    {
        try
        {
            if (path is null)
            {
                return new ClusterDirectory(Directory.CreateTempSubdirectory("fluster-cluster-").FullName, ClusterKey.Create(), isTemporary: true);
            }

            var full = Path.GetFullPath(path);
            Directory.CreateDirectory(full);
            return new ClusterDirectory(full, ReadOrMake(Path.Combine(full, KeyFile)), isTemporary: false);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or FormatException)
        {
            throw new LocalClusterException($"A LocalCluster cannot keep its data in '{path ?? Path.GetTempPath()}': {exception.Message}", exception);
        }
    }

    public void Dispose()
    {
        Key.Dispose();
        if (!_isTemporary)
        {
            return;
        }

        try
        {
            MakeDeletable(new DirectoryInfo(FullPath));
            Directory.Delete(FullPath, recursive: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It is below the system's temporary directory, which is cleared now and then.
        }
    }

    private static ClusterKey ReadOrMake(string path)
    {
        if (File.Exists(path))
        {
            return ClusterKey.Parse(File.ReadAllText(path));
        }

        var key = ClusterKey.Create();
        DurableFile.Write(path, Encoding.ASCII.GetBytes(key.ExportPrivatePem()), secret: true);
        return key;
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
