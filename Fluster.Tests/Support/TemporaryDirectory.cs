namespace Fluster.Tests;

/// <summary>A directory that is gone when the test is over. Every user may use it, as those of attempts do.</summary>
internal sealed class TemporaryDirectory : IDisposable
{
    private const UnixFileMode Everybody = (UnixFileMode)0b111_111_111;

    public TemporaryDirectory()
    {
        if (!OperatingSystem.IsWindows())
        {
            System.IO.File.SetUnixFileMode(Path, Everybody);
        }
    }

    public string Path { get; } = Directory.CreateTempSubdirectory("fluster-test-").FullName;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>How many whole lines the file has: a shell makes the file first and writes into it afterwards.</summary>
    public int Lines(string name) => System.IO.File.Exists(File(name)) ? System.IO.File.ReadAllText(File(name)).Count(character => character == '\n') : 0;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
