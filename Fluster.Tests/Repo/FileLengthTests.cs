namespace Fluster.Tests;

/// <summary>A file over 500 lines has more than one reason to change.</summary>
public class FileLengthTests
{
    private const int MostLines = 500;

    [Fact]
    public void SourceFiles_AreAtMost500Lines()
    {
        var tooLong = Repository.Files("*.cs", "*.razor", "*.proto", "*.sh")
            .Select(path => (path, lines: File.ReadLines(Path.Combine(Repository.Root, path)).Count()))
            .Where(file => file.lines > MostLines)
            .Select(file => $"{file.path}: {file.lines}");

        Assert.Empty(tooLong);
    }
}
