using System.Diagnostics;

namespace Fluster.Tests;

/// <summary>A disk of a few megabytes, in memory, that is gone when the test is over. Needs root.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public SmallDisk(int megabytes) => Run("mount", "-t", "tmpfs", "-o", $"size={megabytes}m", "tmpfs", Path);

    public string Path => _directory.Path;

    /// <summary>Makes it larger, with what is on it.</summary>
    public void Resize(int megabytes) => Run("mount", "-o", $"remount,size={megabytes}m", Path);

    /// <summary>Takes all the room that is left.</summary>
    public void Fill()
    {
        using var file = File.Create(System.IO.Path.Combine(Path, "filler"));
        try
        {
            while (true)
            {
                file.Write(new byte[64 << 10]);
                file.Flush();
            }
        }
        catch (IOException)
        {
            // Full.
        }
    }

    public void Dispose()
    {
        Run("umount", "--lazy", Path); // also while something still has a file open there
        _directory.Dispose();
    }

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {error}");
    }
}

/// <summary>A test that mounts a disk of its own. Without the rights to do so it is skipped by name.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SmallDiskFactAttribute : FactAttribute
{
    public SmallDiskFactAttribute()
    {
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess || Tools.Find("mount") is null || Tools.Find("prlimit") is null)
        {
            Skip = "It needs Linux, root, mount and prlimit.";
        }
    }
}
