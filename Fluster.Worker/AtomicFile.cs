using System.Runtime.InteropServices;

namespace Fluster.Worker;

/// <summary>Files that are there whole or not at all, also after a crash of the machine.</summary>
internal static class AtomicFile
{
    /// <summary>Writes to a temporary file beside it, has the disk keep that, and puts it in place.</summary>
    public static void Write(string path, ReadOnlySpan<byte> content)
    {
        var temporary = path + ".tmp";
        using (var file = File.OpenHandle(temporary, FileMode.Create, FileAccess.Write))
        {
            RandomAccess.Write(file, content, 0);
            RandomAccess.FlushToDisk(file);
        }

        File.Move(temporary, path, overwrite: true);
        FlushDirectory(Path.GetDirectoryName(path)!);
    }

    /// <summary>Has the disk keep the names in a directory. Windows keeps them by itself.</summary>
    public static unsafe void FlushDirectory(string directory)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        var path = Marshal.StringToCoTaskMemUTF8(directory);
        var fd = Libc.open((byte*)path, 0x90000 /* O_RDONLY | O_DIRECTORY | O_CLOEXEC */);
        Marshal.FreeCoTaskMem(path);
        if (fd >= 0)
        {
            _ = Libc.fsync(fd);
            _ = Libc.close(fd);
        }
    }
}
