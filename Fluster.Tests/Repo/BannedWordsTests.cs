using System.Text.RegularExpressions;

namespace Fluster.Tests;

/// <summary>Words that mean that something was left undone, put in the wrong place, or does not belong into the repository.</summary>
public class BannedWordsTests
{
    /// <summary>A name says what a thing does; these say nothing.</summary>
    private static readonly string[] s_suffixes = ["Manager", "Helper", "Helpers", "Utils", "Util", "Common", "Impl"];

    /// <summary>Names that are not ours to choose.</summary>
    private static readonly Dictionary<string, string> s_givenNames = new(StringComparer.Ordinal)
    {
        ["platform/Grpc.Services/Health/HealthServiceImpl.cs"] = "public name in Grpc.HealthCheck, which it stands in for",
    };

    private static readonly (string Pattern, string Why, string[] Except)[] s_words =
    [
        ("<" + "local>", "the seeds' namespace of no cluster; here it is Namespace.Default", ["docs/"]),
        (@"\b(TO" + @"DO|FIX" + @"ME|XX" + @"X|HA" + @"CK)\b", "work left undone", []),
        ("NotImplemented" + "Exception", "a stub", ["platform/Grpc.Core.Api/"]), // abstract members of the original throw the same
        (@"(?<![\w.$}*/""-])/(work|root|tmp/fl|home/[a-z]+)/", "a path of one machine", []),
        (@"(?i)\b(clau" + @"de|anthro" + @"pic|chat" + @"gpt|open" + @"ai|ll" + @"ms?|sub-?age" + @"nts?|co-?pil" + @"ot)\b", "about how the work is organised", []),
        (@"(?i)\b(this|next|previous|earlier|another|other) (ses" + @"sion|hel" + @"per) (wrote|does|will|lands|landed|did|owns)\b", "about how the work is organised", []),
    ];

    [Fact]
    public void FileNames_SayWhatIsInThem()
    {
        var wrong = Repository.Files("*.cs", "*.razor")
            .Where(path => !s_givenNames.ContainsKey(path))
            .Where(path => s_suffixes.Any(suffix => Path.GetFileNameWithoutExtension(path).EndsWith(suffix, StringComparison.Ordinal)));

        Assert.Empty(wrong);
    }

    [Fact]
    public void Text_HasNoBannedWords()
    {
        var wrong = Repository.Files()
            .Where(IsText)
            .SelectMany(path => File.ReadLines(Path.Combine(Repository.Root, path)).Select((line, index) => (path, line, number: index + 1)))
            .SelectMany(line => s_words
                .Where(word => !word.Except.Any(folder => line.path.StartsWith(folder, StringComparison.Ordinal)) && Regex.IsMatch(line.line, word.Pattern))
                .Select(word => $"{line.path}:{line.number}: {word.Why}: {line.line.Trim()}"));

        Assert.Empty(wrong);
    }

    [Theory]
    [InlineData("// TO" + "DO later")]
    [InlineData("throw new NotImplemented" + "Exception();")]
    [InlineData("see /wo" + "rk/notes")]
    [InlineData("namespace <lo" + "cal>")]
    public void Patterns_FindWhatTheyAreFor(string line) => Assert.Contains(s_words, word => Regex.IsMatch(line, word.Pattern));

    private static bool IsText(string path) =>
        Path.GetExtension(path) is ".cs" or ".razor" or ".csproj" or ".props" or ".targets" or ".proto" or ".md" or ".sh" or ".json" or ".yaml" or ".yml" or ".txt" or ".js" or ".py" or ".css" or ".html" or "" or ".editorconfig"
        && !path.EndsWith("package-lock.json", StringComparison.Ordinal);
}
