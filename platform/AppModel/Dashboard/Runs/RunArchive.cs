using System.Globalization;
using AppModel.Pages;
using Microsoft.AspNetCore.Http;

namespace Aspire.Hosting.Dashboard;

/// <summary>This run, which is kept as it goes on, and the last three before it.</summary>
internal sealed class RunArchive(ConsoleFeed consoles, TelemetryFeed telemetry, SourceNames names, TimeProvider time) : IAsyncDisposable
{
    private const int MostEarlier = 3;
    private const string IdFormat = "yyyyMMdd-HHmmss-fff";

    private readonly Lock _lock = new();
    private string? _directory;
    private RunFiles? _files;
    private RunData? _loaded;

    public RunData This { get; } = new("", consoles.Store, telemetry.Store);

    /// <summary>The runs before this one, the newest first.</summary>
    public IReadOnlyList<EarlierRun> Earlier { get; private set; } = [];

    /// <summary>Finds what earlier runs have left, and begins to keep what this one says.</summary>
    /// <exception cref="IOException">The directory cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The directory cannot be written.</exception>
    public void Open(HostDirectory directory)
    {
        _directory = HostDirectory.MakePrivate(Path.Combine(directory.Path, "runs"));
        var ids = new DirectoryInfo(_directory).EnumerateDirectories().Select(run => run.Name).Where(name => TimeOf(name) is not null).OrderDescending(StringComparer.Ordinal).ToList();
        foreach (var old in ids.Skip(MostEarlier))
        {
            Directory.Delete(Path.Combine(_directory, old), recursive: true);
        }

        Earlier = [.. ids.Take(MostEarlier).Select(id => new EarlierRun(id, TimeOf(id)!.Value.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)))];
        var files = _files = new RunFiles(Path.Combine(_directory, time.GetUtcNow().ToString(IdFormat, CultureInfo.InvariantCulture)));
        telemetry.OnRequest = files.Append;
        consoles.BeginKeeping(entry => files.Append(entry, names.Of(entry.Source)));
    }

    /// <summary>The earlier run that a page asks for; null for this one.</summary>
    public EarlierRun? Asked(HttpContext context) => (string?)context.Request.Query["run"] is { Length: > 0 } id ? Earlier.FirstOrDefault(run => run.Id == id) : null;

    /// <summary>The run that a page asks for; null when it is not kept any more.</summary>
    public RunData? Of(HttpContext context)
    {
        if (string.IsNullOrEmpty(context.Request.Query["run"]))
        {
            return This;
        }

        if (Asked(context) is not { } run || _directory is null)
        {
            return null;
        }

        // Only the last one that was looked at stays in memory.
        lock (_lock)
        {
            return _loaded?.Id == run.Id ? _loaded : _loaded = RunFiles.Load(run.Id, Path.Combine(_directory, run.Id));
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_files is { } files)
        {
            _files = null;
            await files.DisposeAsync();
        }
    }

    private static DateTimeOffset? TimeOf(string id) =>
        DateTimeOffset.TryParseExact(id, IdFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) ? at : null;
}
