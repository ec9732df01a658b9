namespace Fluster.Controller;

/// <summary>The directory of one cluster, held by one controller at a time.</summary>
internal sealed class DataDirectory : IDisposable
{
    private readonly FileStream _lock;

    private DataDirectory(string path, FileStream held)
    {
        FullPath = path;
        _lock = held;
    }

    public string FullPath { get; }

    public string DatabasePath => Path.Combine(FullPath, "state.db");

    /// <summary>Opens the directory, making it if need be, and locks it.</summary>
    /// <exception cref="StoreException">Another controller holds it, or it cannot be used.</exception>
    public static DataDirectory Open(string path)
    {
        var full = Path.GetFullPath(path);
        try
        {
            if (OperatingSystem.IsWindows())
            {
                Directory.CreateDirectory(full);
            }
            else
            {
                Directory.CreateDirectory(full, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            }

            return new DataDirectory(full, new FileStream(Path.Combine(full, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException exception)
        {
            throw new StoreException($"'{full}' cannot be used as data directory: another controller holds it, or it cannot be written ({exception.Message}).", exception);
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new StoreException($"'{full}' cannot be used as data directory: {exception.Message}", exception);
        }
    }

    public void Dispose() => _lock.Dispose();
}
