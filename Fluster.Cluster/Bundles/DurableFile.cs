using System.Runtime.InteropServices;

namespace Fluster.Cluster;

/// <summary>
/// Files that are there whole or not at all, and still there after the power fails: written beside, flushed, renamed, and the
/// directory flushed, since a rename is a change of the directory.
/// </summary>
internal static partial class DurableFile
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>O_RDONLY | O_CLOEXEC: a program that is started meanwhile does not inherit it. Linux has this number everywhere; that of O_DIRECTORY depends on the processor.</summary>
    private static readonly int s_readOnly = OperatingSystem.IsLinux() ? 0x80000 : OperatingSystem.IsMacOS() ? 0x1000000 : 0;

    /// <summary>Writes or replaces a small file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="content">All of its content.</param>
    /// <param name="secret">Only the owner may read it (0600).</param>
    public static void Write(string path, ReadOnlySpan<byte> content, bool secret = false)
    {
        var temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0 };
        if (secret && !OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = OwnerOnly;
        }

        try
        {
            using (var file = new FileStream(temporary, options))
            {
                file.Write(content);
                file.Flush(flushToDisk: true);
            }

            Publish(temporary, path);
        }
        catch
        {
            File.Delete(temporary); // a full disk is not made fuller by half a file
            throw;
        }
    }

    /// <summary>Gives a written and flushed file its final name.</summary>
    public static void Publish(string temporary, string path)
    {
        File.Move(temporary, path, overwrite: true);
        SyncDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    /// <summary>Makes the names in a directory survive a loss of power. Windows does so by itself.</summary>
    /// <exception cref="IOException">The directory cannot be opened or flushed.</exception>
    public static void SyncDirectory(string directory)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        var descriptor = Open(directory, s_readOnly);
        if (descriptor < 0)
        {
            throw new IOException($"'{directory}' cannot be opened to flush it (error {Marshal.GetLastPInvokeError()}).");
        }

        try
        {
            if (Sync(descriptor) != 0)
            {
                throw new IOException($"'{directory}' cannot be flushed (error {Marshal.GetLastPInvokeError()}).");
            }
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Sync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Close(int descriptor);
}
