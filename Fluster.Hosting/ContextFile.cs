using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Aspire.Hosting;

namespace Fluster.Hosting;

/// <summary>How to reach a cluster.</summary>
internal sealed record ClusterAddress(string Grpc, string Http, string Token, string PublicKey);

/// <summary>
/// The clusters that this user knows, for the command line and for clients: <c>~/.fluster/context.json</c>. The first AppHost is
/// "default", a second one at the same time "default-2", and so on. Entries of others, and what they hold beyond this, stay as they are.
/// </summary>
internal sealed class ContextFile(string path)
{
    private const string FirstName = "default";
    private const string DefaultNamespace = "default";

    private static readonly TimeSpan s_lockLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_lockInterval = TimeSpan.FromMilliseconds(20);
    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true };

    public string Path => path;

    /// <summary>The user's own file.</summary>
    public static ContextFile OfUser()
    {
        // Elsewhere only FlusterEnvironment, in Fluster.Cluster, reads FLUSTER_* variables. This library cannot reference that one,
        // and whoever starts an AppHost for a test must be able to keep it away from the user's file.
#pragma warning disable RS0030
        var elsewhere = Environment.GetEnvironmentVariable("FLUSTER_CONTEXT_FILE");
#pragma warning restore RS0030
        return new ContextFile(string.IsNullOrEmpty(elsewhere)
            ? System.IO.Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify), ".fluster", "context.json")
            : elsewhere);
    }

    /// <summary>Writes down a cluster that this process runs, and says under which name.</summary>
    public Task<(string Name, bool IsCurrent)> AddAsync(ClusterAddress cluster, CancellationToken cancellationToken) => ChangeAsync(
        file =>
        {
            var contexts = Contexts(file);
            var name = Enumerable.Range(1, int.MaxValue)
                .Select(number => number == 1 ? FirstName : string.Create(CultureInfo.InvariantCulture, $"{FirstName}-{number}"))
                .First(candidate => contexts[candidate] is not { } entry || IsLeftOver(entry));
            contexts[name] = new JsonObject
            {
                ["address"] = cluster.Grpc,
                ["http"] = cluster.Http,
                ["token"] = cluster.Token,
                ["clusterKey"] = cluster.PublicKey,
                ["namespace"] = DefaultNamespace,
                ["pid"] = Environment.ProcessId,
                ["started"] = StartOf(Environment.ProcessId),
            };
            // Whoever was chosen stays chosen while it is there.
            if ((string?)file["current"] is not { } current || contexts[current] is not { } chosen || IsLeftOver(chosen))
            {
                file["current"] = name;
            }

            return (name, (string?)file["current"] == name);
        },
        cancellationToken);

    /// <summary>Takes out a cluster that this process ran.</summary>
    public Task RemoveAsync(string name, CancellationToken cancellationToken) => ChangeAsync(
        file =>
        {
            var contexts = Contexts(file);
            if ((int?)contexts[name]?["pid"] == Environment.ProcessId)
            {
                contexts.Remove(name);
                if ((string?)file["current"] == name)
                {
                    file["current"] = contexts.Where(entry => entry.Value is { } value && !IsLeftOver(value)).Select(entry => entry.Key).Order(StringComparer.Ordinal).FirstOrDefault();
                }
            }

            return true;
        },
        cancellationToken);

    /// <summary>Whether the entry was written by an AppHost that is gone. One without a process (a login) is somebody's who wants it.</summary>
    private static bool IsLeftOver(JsonNode entry) =>
        (int?)entry["pid"] is { } pid && (StartOf(pid) is not { } started || ((long?)entry["started"] is { } written && written != started));

    /// <summary>When a process started, in seconds since 1970; null when there is none. Tells apart processes that had the same id.</summary>
    private static long? StartOf(int pid)
    {
        try
        {
            using var process = Process.GetProcessById(pid);
            return new DateTimeOffset(process.StartTime).ToUnixTimeSeconds();
        }
        catch (Exception exception) when (exception is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    private static JsonObject Contexts(JsonObject file)
    {
        if (file["contexts"] is not JsonObject contexts)
        {
            file["contexts"] = contexts = [];
        }

        return contexts;
    }

    /// <summary>Reads, changes and writes the file while nobody else does.</summary>
    private async Task<T> ChangeAsync<T>(Func<JsonObject, T> change, CancellationToken cancellationToken)
    {
        PrivateFile.CreateDirectory(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!);
        await using var held = await LockAsync(cancellationToken);
        var file = Read();
        var result = change(file);
        PrivateFile.Write(path, file.ToJsonString(s_indented) + "\n");
        return result;
    }

    private JsonObject Read()
    {
        try
        {
            return File.Exists(path) ? JsonNode.Parse(File.ReadAllText(path)) as JsonObject ?? [] : [];
        }
        catch (JsonException exception)
        {
            throw new DistributedApplicationException($"'{path}' cannot be read: {exception.Message} Repair or delete it.", exception);
        }
    }

    private async Task<FileStream> LockAsync(CancellationToken cancellationToken)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                return new FileStream(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException exception)
            {
                if (TimeProvider.System.GetElapsedTime(start) > s_lockLimit)
                {
                    throw new DistributedApplicationException($"'{path}.lock' is held by another program.", exception);
                }
            }

            await Task.Delay(s_lockInterval, TimeProvider.System, cancellationToken);
        }
    }
}
