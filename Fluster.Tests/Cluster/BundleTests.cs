using Fluster.Cluster;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>The build output that travels: what is in it, that it is enough, and that only what changed is read again.</summary>
public sealed class BundleTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("fluster-bundle-");

    public void Dispose() => _directory.Delete(recursive: true);

    // The strongest test of a bundle: a lambda runs from nothing but its files.
    [Fact]
    public async Task OfApp_Materialised_RunsALambda()
    {
        var number = 41;
        var app = AppLocation.Of(typeof(BundleTests).Assembly);
        var copy = new AppLocation(Path.Combine(_directory.FullName, "bundle"), app.App);
        Materialise(Bundle.OfApp(app), copy.Directory);

        var outcome = await JobHostProcess.RunAsync(InvocationWriter.Write(() => $"{number + 1} {AppContext.BaseDirectory}", []), copy);

        Assert.Equal($"42 {copy.Directory}/", outcome.Result<string>());
    }

    [Fact]
    public void Of_TestHost_IsTheTestsOwnBuildOutput()
    {
        var app = AppLocation.Of(typeof(BundleTests).Assembly);

        Assert.Equal(("Fluster.Tests", AppContext.BaseDirectory), (app.App, app.Directory + "/"));
    }

    // A library of the app travels with the app, not by itself.
    [Fact]
    public void Of_LibraryOfTheApp_IsTheApp() => Assert.Equal("Fluster.Tests", AppLocation.Of(typeof(FlusterClient).Assembly).App);

    [Fact]
    public void OfApp_HasWhatRunsAndNotWhatOnlyBuildsOrOtherPlatformsUse()
    {
        var app = NewApp("App", dependencies: ["Lib.dll"], native: [("runtimes/linux-x64/native/libn.so", "linux-x64"), ("runtimes/win-x64/native/n.dll", "win-x64")]);
        Write(app, "Lib.dll", "Lib.pdb", "Lib.xml", "App", "App.pdb", "appsettings.json", "data/words.txt", "plain.xml", "de/Lib.resources.dll");
        Write(app, "runtimes/linux-x64/native/libn.so", "runtimes/win-x64/native/n.dll", "publish/App.deps.json", "publish/App.dll", ".cache/x", ".hidden", "ref/App.dll", "App.runtimeconfig.dev.json");

        var files = BundleFiles.Of(app).Keys;

        Assert.Equal(
            ["App.deps.json", "App.dll", "App.pdb", "App.runtimeconfig.json", "Lib.dll", "Lib.pdb", "appsettings.json", "data/words.txt", "de/Lib.resources.dll", "plain.xml", "runtimes/linux-x64/native/libn.so"],
            files);
    }

    [Fact]
    public void OfApp_ListedFileMissing_IsRefusedNamingIt()
    {
        var app = NewApp("App", dependencies: ["Lib.dll"]);

        Assert.Contains("Lib.dll, which App.deps.json lists, is not in", Assert.Throws<InvalidOperationException>(() => BundleFiles.Of(app)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OfApp_BuiltForAnotherSystem_IsRefusedNamingIt()
    {
        var app = NewApp("App", rid: "win-x64");

        Assert.Equal(
            "App cannot be sent to a cluster: it was built for win-x64, and workers run Linux: build it without a runtime identifier, or for linux-x64.",
            Assert.Throws<InvalidOperationException>(() => BundleFiles.Of(app)).Message);
    }

    [Fact]
    public void OfApp_NativeFilesOfOtherSystemsOnly_IsRefusedNamingThePackage()
    {
        var app = NewApp("App", native: [("runtimes/win-x64/native/n.dll", "win-x64"), ("runtimes/osx-arm64/native/n.dylib", "osx-arm64")]);
        Write(app, "runtimes/win-x64/native/n.dll", "runtimes/osx-arm64/native/n.dylib");

        Assert.Contains("its package dep/1.0.0 has native files for osx-arm64, win-x64 only", Assert.Throws<InvalidOperationException>(() => BundleFiles.Of(app)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"runtimeOptions":{"framework":{"name":"Microsoft.WindowsDesktop.App","version":"10.0.0"}}}""", "shared framework Microsoft.WindowsDesktop.App")]
    [InlineData("""{"runtimeOptions":{"frameworks":[{"name":"Microsoft.NETCore.App"},{"name":"Microsoft.WindowsDesktop.App"}]}}""", "shared framework Microsoft.WindowsDesktop.App")]
    [InlineData("""{"runtimeOptions":{"includedFrameworks":[{"name":"Microsoft.NETCore.App","version":"10.0.0"}]}}""", "published self-contained")]
    public void CheckRuntime_ThatWorkersDoNotHave_IsRefusedByName(string runtimeConfig, string reason)
    {
        var app = NewApp("App");
        File.WriteAllText(app.RuntimeConfigFile, runtimeConfig);

        Assert.Contains(reason, Assert.Throws<InvalidOperationException>(app.CheckRuntime).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_AssemblyInMemory_IsRefusedByName()
    {
        var assembly = System.Reflection.Emit.AssemblyBuilder.DefineDynamicAssembly(new System.Reflection.AssemblyName("InMemory"), System.Reflection.Emit.AssemblyBuilderAccess.Run);

        Assert.StartsWith("InMemory cannot be sent to a cluster: it was published as a single file or made in memory", Assert.Throws<InvalidOperationException>(() => AppLocation.Of(assembly)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_AssemblyWithoutDepsFile_IsRefusedNamingTheFile()
    {
        var path = Path.Combine(_directory.FullName, "Fluster.JobHost.dll");
        File.Copy(JobHostProcess.JobHostPath, path);
        var loaded = new System.Runtime.Loader.AssemblyLoadContext("lone", isCollectible: true);
        try
        {
            var error = Assert.Throws<InvalidOperationException>(() => AppLocation.Of(loaded.LoadFromAssemblyPath(path)));

            Assert.Contains(".deps.json", error.Message, StringComparison.Ordinal);
            Assert.Contains($"not in {_directory.FullName}", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            loaded.Unload();
        }
    }

    [Fact]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public void OfDirectory_HasEveryFileWithItsModeAndHash()
    {
        Write(new AppLocation(_directory.FullName, "x"), "a.txt", "sub/b.sh", ".hidden");
        File.SetUnixFileMode(Path.Combine(_directory.FullName, "sub/b.sh"), UnixFileMode.UserRead | UnixFileMode.UserExecute);

        var bundle = Bundle.OfDirectory(_directory.FullName);
        var manifest = V1.BundleManifest.Parser.ParseFrom(bundle.Manifest.Bytes.Span);

        Assert.Equal([(".hidden", false), ("a.txt", false), ("sub/b.sh", true)], manifest.Files.Select(file => (file.Path, file.Executable)));
        Assert.All(manifest.Files, file => Assert.Equal(BlobSource.HashOf(System.Text.Encoding.UTF8.GetBytes(file.Path)), file.Blob.Hash));
        Assert.Equal(BlobSource.HashOf(bundle.Manifest.Bytes.Span), bundle.Manifest.Hash);
    }

    [Fact]
    public void OfDirectory_Over1GiB_IsRefusedNamingTheLargest()
    {
        using (var large = File.Create(Path.Combine(_directory.FullName, "large.bin")))
        {
            large.SetLength((1L << 30) + 1); // sparse
        }

        var error = Assert.Throws<InvalidOperationException>(() => Bundle.OfDirectory(_directory.FullName));

        Assert.Contains("1,073,741,825 bytes in 1 files, and 1,073,741,824 (1 GiB) can travel. The largest: large.bin", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FileHashes_UnchangedFiles_AreNotReadAgain()
    {
        Write(new AppLocation(_directory.FullName, "x"), "old.txt", "changed.txt", "new.txt");
        var paths = new[] { "old.txt", "changed.txt", "new.txt" }.Select(name => Path.Combine(_directory.FullName, name)).ToArray();
        File.SetLastWriteTimeUtc(paths[0], new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        File.SetLastWriteTimeUtc(paths[1], new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        var cache = Path.Combine(_directory.FullName, "cache.json");
        var first = FileHashes.Open(cache, TimeProvider.System);
        var hashes = paths.Select(path => first.Of(path).Hash).ToArray();
        first.Save(paths);

        File.AppendAllText(paths[1], "x");
        var second = FileHashes.Open(cache, TimeProvider.System);
        var again = paths.Select(path => second.Of(path).Hash).ToArray();

        Assert.Equal(3, first.FilesRead);
        Assert.Equal(2, second.FilesRead); // the changed one, and the one too new to be trusted
        Assert.Equal((hashes[0], hashes[2]), (again[0], again[2]));
        Assert.NotEqual(hashes[1], again[1]);
        Assert.Equal(BlobSource.HashOf("changed.txtx"u8), again[1]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("not json")]
    [InlineData("[]")]
    public void FileHashes_UnreadableMemory_CountsAsEmpty(string content)
    {
        var cache = Path.Combine(_directory.FullName, "cache.json");
        File.WriteAllText(cache, content);

        Assert.Equal(BlobSource.HashOf(System.Text.Encoding.UTF8.GetBytes(content)), FileHashes.Open(cache, TimeProvider.System).Of(cache).Hash);
    }

    private static void Materialise(Bundle bundle, string directory)
    {
        var manifest = V1.BundleManifest.Parser.ParseFrom(bundle.Manifest.Bytes.Span);
        foreach (var file in manifest.Files)
        {
            var path = Path.Combine(directory, file.Path);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.Copy(bundle.Files[file.Path].File!, path);
        }
    }

    private AppLocation NewApp(string name, string? rid = null, string[]? dependencies = null, (string Path, string Rid)[]? native = null)
    {
        var target = ".NETCoreApp,Version=v10.0" + (rid is null ? "" : "/" + rid);
        var runtime = string.Join(",", (dependencies ?? []).Select(file => $$"""
            "lib/net10.0/{{file}}":{}
            """));
        var targets = string.Join(",", (native ?? []).Select(file => $$"""
            "{{file.Path}}":{"rid":"{{file.Rid}}","assetType":"native"}
            """));
        var app = new AppLocation(_directory.FullName, name);
        Write(app, name + ".dll");
        File.WriteAllText(app.RuntimeConfigFile, """{"runtimeOptions":{"framework":{"name":"Microsoft.NETCore.App","version":"10.0.0"}}}""");
        File.WriteAllText(app.DepsFile, """
            {"runtimeTarget":{"name":"TARGET"},
             "targets":{"TARGET":{"NAME/1.0.0":{"runtime":{"NAME.dll":{}}},"dep/1.0.0":{"runtime":{FILES},"runtimeTargets":{NATIVE}}}},
             "libraries":{"dep/1.0.0":{"type":"package","path":"dep/1.0.0"}}}
            """.Replace("TARGET", target, StringComparison.Ordinal).Replace("NAME", name, StringComparison.Ordinal).Replace("FILES", runtime, StringComparison.Ordinal).Replace("NATIVE", targets, StringComparison.Ordinal));
        return app;
    }

    private static void Write(AppLocation app, params string[] paths)
    {
        foreach (var path in paths)
        {
            var full = Path.Combine(app.Directory, path);
            Directory.CreateDirectory(Path.GetDirectoryName(full)!);
            File.WriteAllText(full, path);
        }
    }
}
