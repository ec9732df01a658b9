using System.Collections.Immutable;
using System.Reflection;
using System.Runtime.Loader;
using Fluster.Actors.Generator;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;

namespace Fluster.Tests;

/// <summary>A program as a text: built in this process with the generator or without it, and loaded. It sees what a user's program sees.</summary>
internal static class BuiltSource
{
    private const string Usings = """
        global using System;
        global using System.Collections.Generic;
        global using System.IO;
        global using System.Linq;
        global using System.Runtime.CompilerServices;
        global using System.Threading;
        global using System.Threading.Tasks;
        global using Fluster.Actors;
        """;

    private static readonly CSharpParseOptions s_parse = new(LanguageVersion.CSharp13);

    private static readonly Lazy<ImmutableArray<MetadataReference>> s_references = new(() =>
        [.. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator).Select(path => MetadataReference.CreateFromFile(path))]);

    private static int s_numbers;

    /// <summary>The program before the generator has run.</summary>
    public static CSharpCompilation Compile(params string[] sources) => CSharpCompilation.Create(
        $"Built{Interlocked.Increment(ref s_numbers)}",
        sources.Prepend(Usings).Select((source, index) => CSharpSyntaxTree.ParseText(source, s_parse, path: $"Source{index}.cs")),
        s_references.Value,
        new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable, allowUnsafe: true));

    public static GeneratorDriver Driver() => CSharpGeneratorDriver.Create(
        [new ActorGenerator().AsSourceGenerator()], parseOptions: s_parse, driverOptions: new GeneratorDriverOptions(IncrementalGeneratorOutputKind.None, trackIncrementalGeneratorSteps: true));

    /// <summary>What the generator writes, by the names of the files.</summary>
    public static IReadOnlyDictionary<string, string> Generate(params string[] sources) =>
        Driver().RunGenerators(Compile(sources)).GetRunResult().Results.Single().GeneratedSources.ToDictionary(file => file.HintName, file => file.SourceText.ToString(), StringComparer.Ordinal);

    /// <summary>The program, built and loaded.</summary>
    public static Assembly Load(string source, bool generate = true)
    {
        Compilation compilation = Compile(source);
        if (generate)
        {
            Driver().RunGeneratorsAndUpdateCompilation(compilation, out compilation, out var diagnostics);
            Assert.Empty(diagnostics);
        }

        using var image = new MemoryStream();
        var built = compilation.Emit(image);
        Assert.True(built.Success, string.Join('\n', built.Diagnostics.Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error).Take(10)));
        image.Position = 0;
        return new AssemblyLoadContext(compilation.AssemblyName).LoadFromStream(image);
    }

    /// <summary>The program without the generator, built into a directory together with its documentation file, and loaded from there.</summary>
    public static Assembly LoadDocumented(string source, string directory)
    {
        var compilation = Compile(source);
        var path = Path.Combine(directory, compilation.AssemblyName + ".dll");
        using (var image = File.Create(path))
        using (var documentation = File.Create(Path.ChangeExtension(path, ".xml")))
        {
            var built = compilation.Emit(image, xmlDocumentationStream: documentation);
            Assert.True(built.Success, string.Join('\n', built.Diagnostics.Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error).Take(10)));
        }

        return new AssemblyLoadContext(compilation.AssemblyName).LoadFromAssemblyPath(path);
    }

    /// <summary>What the analyzer says: the id, the severity, the text at the place, and the message.</summary>
    public static async Task<IReadOnlyList<Said>> AnalyzeAsync(string source)
    {
        var compilation = Compile(source);
        Assert.Empty(compilation.GetDiagnostics().Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error));
        var said = await compilation.WithAnalyzers([new ActorAnalyzer()]).GetAnalyzerDiagnosticsAsync();
        return [.. said.OrderBy(one => one.Location.SourceSpan.Start).ThenBy(one => one.Id, StringComparer.Ordinal).Select(one => new Said(one.Id, one.Severity, TextAt(one.Location), one.GetMessage()))];
    }

    private static string TextAt(Location location) => location.SourceTree?.GetText().ToString(location.SourceSpan) ?? "";

    public sealed record Said(string Id, DiagnosticSeverity Severity, string At, string Message);
}
