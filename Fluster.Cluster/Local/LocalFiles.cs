namespace Fluster.Cluster;

/// <summary>The directories of commands: a copy of their working files for each attempt, gone with it.</summary>
internal static class LocalFiles
{
    /// <summary>A copy that nobody changes any more.</summary>
    public static string? CopyOf(string? directory)
    {
        if (directory is null)
        {
            return null;
        }

        var copy = Directory.CreateTempSubdirectory("fluster-local-files-").FullName;
        Copy(directory, copy);
        return copy;
    }

    /// <summary>The working directory of an attempt: empty, or a copy of the files.</summary>
    public static string Make(string? files)
    {
        var directory = Directory.CreateTempSubdirectory("fluster-local-").FullName;
        if (files is not null)
        {
            Copy(files, directory);
        }

        return directory;
    }

    public static void Remove(string? directory)
    {
        try
        {
            if (directory is not null)
            {
                Directory.Delete(directory, recursive: true);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // A temporary directory: the system clears it up.
        }
    }

    private static void Copy(string from, string to)
    {
        foreach (var directory in Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories))
        {
            Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, directory)));
        }

        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            File.Copy(file, Path.Combine(to, Path.GetRelativePath(from, file)));
        }
    }
}
