using System.Xml.Linq;

namespace Fluster.Tests;

/// <summary>Who may refer to whom. Adding an arrow here is an architecture decision: write an ADR.</summary>
public class ProjectGraphTests
{
    private const string Platform = "platform/";

    /// <summary>The arrows of ARCHITECTURE.md. Those present are among these; what <c>FlusterGrpc</c> adds counts as platform/Grpc.</summary>
    private static readonly Dictionary<string, string[]> s_allowed = new(StringComparer.Ordinal)
    {
        ["Fluster.Cluster"] = ["platform/Grpc"],
        ["Fluster.Redis"] = ["Fluster.Cluster"],
        ["Fluster.Actors"] = ["Fluster.Cluster", "platform/Grpc"],
        ["Fluster.Actors.Generator"] = [],
        ["Fluster.Pipelines"] = ["Fluster.Actors"],
        ["Fluster.Backends"] = ["Fluster.Cluster"],
        ["Fluster.Controller"] = ["Fluster.Cluster", "Fluster.Redis", "Fluster.Backends", "Fluster.ServiceDefaults", "platform/Grpc"],
        ["Fluster.Worker"] = ["Fluster.Cluster", "Fluster.ServiceDefaults", "platform/Grpc"],
        ["Fluster.JobHost"] = [],
        ["Fluster.Local"] = ["Fluster.Controller", "Fluster.Worker"],
        ["Fluster.Cli"] = ["Fluster.Actors", "Fluster.Local", "Fluster.GcpEmulator"],
        ["Fluster.Hosting"] = ["platform/AppModel"],
        ["Fluster.ServiceDefaults"] = [],
        ["Fluster.AppHost"] = ["Fluster.Hosting", "platform/AppModel"],
        ["Fluster.GcpEmulator"] = ["Fluster.Backends"],
        ["platform/Grpc.Channels"] = ["platform/Grpc"],
        ["platform/Grpc.Core.Api"] = [],
        ["platform/Grpc.Net.Common"] = ["platform/Grpc"],
        ["platform/Grpc.Services"] = ["platform/Grpc"],
        ["platform/AppModel"] = ["platform/AppModel.Pages"],
        ["platform/AppModel.Pages"] = [],
    };

    /// <summary>Projects that are run, not referenced, by others: built before them, without an assembly reference.</summary>
    private static readonly (string From, string To)[] s_buildOrder =
    [
        ("Fluster.AppHost", "Fluster.Controller"),
        ("Fluster.AppHost", "Fluster.Worker"),
        ("Fluster.Actors", "Fluster.Actors.Generator"), // packed into its package, and run on its own interfaces
        ("Fluster.Worker", "Fluster.JobHost"), // copied beside the worker, started for .NET entrypoints
    ];

    /// <summary>What programs of users may reference: samples and templates stand in for them.</summary>
    private static readonly string[] s_forUsers =
        ["Fluster.Cluster", "Fluster.Actors", "Fluster.Actors.Generator", "Fluster.Pipelines", "Fluster.Redis", "Fluster.Local", "Fluster.ServiceDefaults", "Fluster.Hosting", "platform/AppModel"];

    /// <summary>A third-party library lives in one place.</summary>
    private static readonly (string Package, string[] Homes)[] s_homes =
    [
        ("StackExchange.Redis", ["Fluster.Redis", "Fluster.ServiceDefaults"]),
        ("Aspire.StackExchange.Redis", ["Fluster.ServiceDefaults"]),
        ("Microsoft.Data.Sqlite", ["Fluster.Controller"]),
        ("SQLitePCLRaw", ["Fluster.Controller"]),
        ("Google.Apis", ["Fluster.Backends"]),
        ("System.CommandLine", ["Fluster.Cli"]),
        ("Spectre.Console", ["Fluster.Cli"]),
        ("OpenTelemetry", ["Fluster.ServiceDefaults"]),
        ("Polly", ["Fluster.ServiceDefaults"]),
        ("BenchmarkDotNet", ["Fluster.Benchmarks"]),
        ("Microsoft.CodeAnalysis.CSharp", ["Fluster.Actors.Generator"]),
        ("FsCheck", []),
        ("Microsoft.Playwright", []),
        ("xunit", []),
    ];

    /// <summary>The same in source: a namespace, and the folders whose files may use it.</summary>
    private static readonly (string Namespace, string[] Folders)[] s_namespaceHomes =
    [
        ("StackExchange.Redis", ["Fluster.Redis/", "Fluster.ServiceDefaults/"]),
        ("Microsoft.Data.Sqlite", ["Fluster.Controller/Store/"]),
        ("Google.Apis", ["Fluster.Backends/Gcp/"]),
        ("System.CommandLine", ["Fluster.Cli/"]),
        ("Spectre.Console", ["Fluster.Cli/"]),
    ];

    [Fact]
    public void ProjectReferences_AreAmongTheAllowedOnes()
    {
        var projects = Projects();
        Assert.NotEmpty(projects);

        var wrong = projects.SelectMany(project => project.References
            .Where(reference => !IsAllowed(project.Name, reference))
            .Select(reference => $"{project.Name} -> {reference}"));

        Assert.Empty(wrong);
    }

    [Fact]
    public void Projects_AreAllInTheTableAndInTheSolution()
    {
        var solution = Repository.Read("Fluster.sln");

        Assert.All(Projects(), project =>
        {
            Assert.True(s_allowed.ContainsKey(project.Name) || MayReferenceAnything(project.Name) || IsProgramOfAUser(project.Name), $"{project.Name} is not in the table.");
            Assert.Contains(project.Path.Replace('/', '\\'), solution, StringComparison.Ordinal);
        });
    }

    /// <summary>Not even by way of others.</summary>
    [Theory]
    [InlineData("Fluster.Cluster", "Fluster.Actors")]
    [InlineData("Fluster.Controller", "Fluster.Actors")]
    [InlineData("Fluster.Worker", "Fluster.Actors")]
    [InlineData("Fluster.Controller", "Fluster.Worker")]
    [InlineData("Fluster.Worker", "Fluster.Controller")]
    [InlineData("Fluster.Backends", "Fluster.Controller")]
    public void ForbiddenReferences_CannotBeReached(string from, string to)
    {
        var references = Projects().ToDictionary(project => project.Name, project => project.References, StringComparer.Ordinal);
        var reached = new HashSet<string>(StringComparer.Ordinal);
        var open = new Queue<string>([from]);
        while (open.TryDequeue(out var project))
        {
            foreach (var next in references.GetValueOrDefault(project, []).Where(reached.Add))
            {
                open.Enqueue(next);
            }
        }

        Assert.DoesNotContain(to, reached);
    }

    [Fact]
    public void BuildOrderReferences_AreTheListedOnes()
    {
        var wrong = Projects()
            .Where(project => !MayReferenceAnything(project.Name))
            .SelectMany(project => project.BuildOrder.Select(to => (project.Name, to)))
            .Where(reference => !(IsProgramOfAUser(reference.Name) && reference.to == "Fluster.Actors.Generator")) // as the README tells users
            .Except(s_buildOrder);

        Assert.Empty(wrong);
    }

    [Fact]
    public void ThirdPartyPackages_AreReferencedOnlyAtHome()
    {
        var wrong = Projects().Where(project => !MayReferenceAnything(project.Name)).SelectMany(project => project.Packages.Where(package => s_homes.Any(home =>
                IsOf(package, home.Package) && !home.Homes.Contains(project.Name) && !s_homes.Any(better =>
                    better.Package.Length > home.Package.Length && IsOf(package, better.Package))))
            .Select(package => $"{project.Name} references {package}"));

        Assert.Empty(wrong);
    }

    [Fact]
    public void ThirdPartyNamespaces_AreUsedOnlyAtHome()
    {
        var wrong = Repository.Files("*.cs")
            .Where(path => !MayReferenceAnything(path.Split('/')[0]) && !path.StartsWith(Platform, StringComparison.Ordinal))
            .SelectMany(path => s_namespaceHomes
                .Where(home => !home.Folders.Any(folder => path.StartsWith(folder, StringComparison.Ordinal)))
                .Where(home => File.ReadLines(Path.Combine(Repository.Root, path)).Any(line => line.StartsWith($"using {home.Namespace}", StringComparison.Ordinal)))
                .Select(home => $"{path} uses {home.Namespace}"));

        Assert.Empty(wrong);
    }

    private static bool IsOf(string package, string prefix) =>
        package == prefix || package.StartsWith(prefix + ".", StringComparison.Ordinal);

    private static bool MayReferenceAnything(string project) => project is "Fluster.Tests" or "Fluster.Benchmarks" || project.StartsWith("Fluster.Tests/Programs/", StringComparison.Ordinal);

    private static bool IsProgramOfAUser(string project) => project.StartsWith("samples/", StringComparison.Ordinal) || project.StartsWith("templates/", StringComparison.Ordinal);

    private static bool IsAllowed(string from, string to)
    {
        if (MayReferenceAnything(from))
        {
            return true;
        }

        if (IsProgramOfAUser(from) && from == $"{to}.AppHost")
        {
            return true; // it starts it
        }

        var allowed = IsProgramOfAUser(from) ? s_forUsers : s_allowed.GetValueOrDefault(from, []);
        return allowed.Contains(to) || to.StartsWith("platform/Grpc", StringComparison.Ordinal) && allowed.Contains("platform/Grpc");
    }

    private static List<Project> Projects() => [.. Repository.Files("*.csproj").Select(Project.Load)];

    private sealed record Project(string Path, string Name, IReadOnlyList<string> References, IReadOnlyList<string> BuildOrder, IReadOnlyList<string> Packages)
    {
        public static Project Load(string path)
        {
            var document = XDocument.Parse(Repository.Read(path));
            var folder = System.IO.Path.GetDirectoryName(path)!;
            var references = document.Descendants("ProjectReference")
                .Select(reference => (
                    Name: NameOf(System.IO.Path.GetRelativePath(Repository.Root, System.IO.Path.GetFullPath(System.IO.Path.Combine(Repository.Root, folder, Plain(reference.Attribute("Include")!.Value))))),
                    IsBuildOrder: IsFalse(reference, "ReferenceOutputAssembly") || (string?)reference.Attribute("OutputItemType") == "Analyzer"))
                .ToList();
            var grpc = document.Descendants("FlusterGrpc").Any() ? [Platform + "Grpc"] : Array.Empty<string>();
            return new Project(
                path,
                NameOf(path),
                [.. references.Where(reference => !reference.IsBuildOrder).Select(reference => reference.Name), .. grpc],
                [.. references.Where(reference => reference.IsBuildOrder).Select(reference => reference.Name)],
                [.. document.Descendants("PackageReference").Select(package => package.Attribute("Include")!.Value)]);
        }

        private static string Plain(string include) => include.Replace('\\', '/').Replace("$(FlusterPlatformDirectory)", Repository.Root + "/platform/", StringComparison.Ordinal).Replace("$(FlusterRoot)", Repository.Root + "/", StringComparison.Ordinal);

        private static bool IsFalse(XElement reference, string name) =>
            string.Equals((string?)reference.Attribute(name) ?? (string?)reference.Element(name), "false", StringComparison.OrdinalIgnoreCase);

        // Fluster.X/Fluster.X.csproj is Fluster.X; platform/X/X.csproj is platform/X; samples/X/X.csproj is samples/X.
        private static string NameOf(string path) => System.IO.Path.GetDirectoryName(path.Replace('\\', '/'))!;
    }
}
