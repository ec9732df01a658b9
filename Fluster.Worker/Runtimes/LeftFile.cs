using Microsoft.Win32.SafeHandles;

namespace Fluster.Worker;

/// <summary>A file that a job left. The job may have put anything in its place: a pipe would never end, and a link would lead to what is not the job's.</summary>
internal static class LeftFile
{
    /// <summary>Opens it. Null when nothing is there, or not a plain file.</summary>
    public static FileStream? Open(string path)
    {
        if (new FileInfo(path) is not { Exists: true, LinkTarget: null })
        {
            return null;
        }

        var file = new FileStream(OperatingSystem.IsLinux() ? new SafeFileHandle(Libc.OpenWithoutWaiting(path), ownsHandle: true) : File.OpenHandle(path), FileAccess.Read);
        if (file.CanSeek)
        {
            return file;
        }

        file.Dispose();
        return null;
    }
}
