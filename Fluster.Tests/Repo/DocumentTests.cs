using System.Reflection;
using System.Text.RegularExpressions;

namespace Fluster.Tests;

/// <summary>Documents that no test touches rot.</summary>
public class DocumentTests
{
    private const string Coverage = "docs/seed-coverage.md";

    /// <summary>`SomeTests.Subject_Condition_Outcome`, or `SomeTests` for all of a class.</summary>
    private static readonly Regex s_testName = new(@"`(\w+Tests)(?:\.(\w+))?`");

    [Fact]
    public void SeedCoverage_EveryRow_NamesTestsThatExistOrSaysWhyNot()
    {
        var rows = Rows(Coverage);
        Assert.True(rows.Count > 50, $"{rows.Count} rows");

        Assert.All(rows, row =>
        {
            var shown = row[^1];
            var names = s_testName.Matches(shown);
            Assert.True(
                names.Count > 0 || shown.StartsWith("Not applicable: ", StringComparison.Ordinal) || shown.StartsWith("Open: ", StringComparison.Ordinal),
                $"'{string.Join(" | ", row)}' names no test and gives no reason.");
        });
        Assert.Empty(MissingTests(Repository.Read(Coverage)));
    }

    [Fact]
    public void Documents_NameTestsThatExist()
    {
        var missing = Repository.Files("*.md").SelectMany(path => MissingTests(Repository.Read(path)).Select(name => $"{path}: {name}"));

        Assert.Empty(missing);
    }

    [Fact]
    public void Adrs_AreNumberedAndAllInTheIndex()
    {
        var files = Repository.Files("docs/adr/[0-9]*.md").Select(path => Path.GetFileName(path)).ToList();
        Assert.NotEmpty(files);

        var index = Regex.Matches(Repository.Read("docs/adr/README.md"), @"\]\((\d{4}-[a-z0-9-]+\.md)\)").Select(match => match.Groups[1].Value);

        Assert.Equal(files, index);
        Assert.Equal(files.Count, files.Select(file => file[..4]).Distinct().Count());
        Assert.All(files, file => Assert.Matches(@"(?s)^# .*\n## Context\n.*\n## Decision\n.*\n## Consequences\n", Repository.Read("docs/adr/" + file)));
    }

    [Fact]
    public void Benchmarks_AreAllInTheList()
    {
        var names = Repository.Files("Fluster.Benchmarks/*.cs").SelectMany(path => Regex.Matches(Repository.Read(path), @"override string Name => ""([\w-]+)"";")).Select(match => match.Groups[1].Value).ToList();
        Assert.NotEmpty(names);

        var list = Repository.Read("docs/benchmarks.md");

        Assert.DoesNotContain(names, name => !list.Contains($"`{name}`", StringComparison.Ordinal));
    }

    [Fact]
    public void Architecture_FitsIntoAReadersHead() => Assert.InRange(Repository.Read("ARCHITECTURE.md").Split('\n').Length, 50, 300);

    [Fact]
    public void Glossary_NamesTypesThatExist_AndListsThoseToComeApart()
    {
        var known = Types().Select(PlainName).ToHashSet(StringComparer.Ordinal);
        var text = Repository.Read("docs/GLOSSARY.md");
        var split = text.IndexOf("## Decided, not built yet", StringComparison.Ordinal);
        Assert.True(split > 0);

        Assert.Equal([], NamesIn(text[..split]).Except(known));
        Assert.Equal([], NamesIn(text[split..]).Intersect(known));
    }

    /// <summary>A link in a document leads to a file of the repository.</summary>
    [Fact]
    public void Links_LeadToFiles()
    {
        var broken = Repository.Files("*.md").SelectMany(path => Regex.Matches(Repository.Read(path), @"\]\((?!https?:|#)([^)#\s]+)")
            .Select(match => Path.GetFullPath(Path.Combine(Repository.Root, Path.GetDirectoryName(path)!, match.Groups[1].Value)))
            .Where(target => !File.Exists(target) && !Directory.Exists(target))
            .Select(target => $"{path}: {target}"));

        Assert.Empty(broken);
    }

    private static IEnumerable<string> MissingTests(string text) =>
        s_testName.Matches(text)
            .Select(match => (Class: match.Groups[1].Value, Method: match.Groups[2].Value))
            .Where(name => typeof(DocumentTests).Assembly.GetTypes().FirstOrDefault(type => type.Name == name.Class) is not { } type
                || name.Method.Length > 0 && type.GetMethod(name.Method)?.GetCustomAttribute<FactAttribute>() is null)
            .Select(name => $"{name.Class}.{name.Method}");

    /// <summary>The rows of all tables of a document, without their heads.</summary>
    private static List<string[]> Rows(string path) =>
    [
        .. Repository.Read(path).Split('\n')
            .Where(line => line.StartsWith('|'))
            .Where(line => !Regex.IsMatch(line, @"^\|[\s|:-]+\|$") && !line.StartsWith("| # ", StringComparison.Ordinal))
            .Select(line => line.Trim().Trim('|').Split('|', StringSplitOptions.TrimEntries)),
    ];

    private static IEnumerable<string> NamesIn(string text) =>
        Regex.Matches(text, @"(?m)^\| `([A-Za-z]+)(?:<[A-Za-z]+>)?`").Select(match => match.Groups[1].Value);

    private static IEnumerable<Type> Types() =>
        Directory.GetFiles(AppContext.BaseDirectory, "*.dll")
            .Where(file => Path.GetFileName(file) is var name && (name.StartsWith("Fluster.", StringComparison.Ordinal) || name == "fluster.dll"))
            .SelectMany(file => Assembly.LoadFrom(file).GetTypes());

    private static string PlainName(Type type) => type.Name.IndexOf('`', StringComparison.Ordinal) is var tick and > 0 ? type.Name[..tick] : type.Name;
}
