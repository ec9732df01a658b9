using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fluster.Cluster;

namespace Fluster.Cli;

/// <summary>Changes the user's context file. What others wrote into it stays; only the owner can read it.</summary>
internal static class ContextWriter
{
    private const string FirstName = "default";

    private static readonly TimeSpan s_lockPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_lockInterval = TimeSpan.FromMilliseconds(20);
    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true };

    /// <summary>Adds or replaces a context and makes it the current one.</summary>
    /// <exception cref="CommandFailedException">The file cannot be read or written.</exception>
    public static void Put(string path, string name, ClusterContextEntry entry) => Change(path, file =>
    {
        Contexts(file)[name] = ToNode(entry);
        file["current"] = name;
        return name;
    });

    /// <summary>
    /// Adds a cluster that this process runs, under "default", or "default-2" while there is another, and so on. It becomes the current one where the one that was
    /// chosen is gone.
    /// </summary>
    /// <exception cref="CommandFailedException">The file cannot be read or written.</exception>
    public static (string Name, bool IsCurrent) Add(string path, ClusterContextEntry entry) => Change(path, file =>
    {
        var contexts = Contexts(file);
        var name = Enumerable.Range(1, int.MaxValue).Select(number => number == 1 ? FirstName : $"{FirstName}-{number}").First(candidate => !IsLive(contexts[candidate]));
        contexts[name] = ToNode(entry with { Pid = Environment.ProcessId, Started = ClusterContextEntry.StartOf(Environment.ProcessId) });
        if ((string?)file["current"] is not { } current || current == name || !IsLive(contexts[current]))
        {
            file["current"] = name;
        }

        return (name, (string?)file["current"] == name);
    });

    /// <summary>Takes out a cluster that this process ran.</summary>
    /// <exception cref="CommandFailedException">The file cannot be read or written.</exception>
    public static void Remove(string path, string name) => Change(path, file =>
    {
        var contexts = Contexts(file);
        if ((int?)contexts[name]?["pid"] == Environment.ProcessId)
        {
            contexts.Remove(name);
            if ((string?)file["current"] == name)
            {
                file["current"] = contexts.Where(entry => IsLive(entry.Value)).Select(entry => entry.Key).Order(StringComparer.Ordinal).FirstOrDefault();
            }
        }

        return name;
    });

    private static JsonNode? ToNode(ClusterContextEntry entry) => JsonSerializer.SerializeToNode(entry, ClusterContextJson.Default.ClusterContextEntry);

    private static bool IsLive(JsonNode? entry) => entry?.Deserialize(ClusterContextJson.Default.ClusterContextEntry) is { IsLeftOver: false };

    private static JsonObject Contexts(JsonObject file)
    {
        if (file["contexts"] is not JsonObject contexts)
        {
            file["contexts"] = contexts = [];
        }

        return contexts;
    }

    /// <summary>Reads, changes and writes the file while nobody else does.</summary>
    private static T Change<T>(string path, Func<JsonObject, T> change)
    {
        try
        {
            CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            using var held = Lock(path + ".lock");
            var file = File.Exists(path) ? JsonNode.Parse(File.ReadAllText(path)) as JsonObject ?? [] : [];
            var result = change(file);
            DurableFile.Write(path, Encoding.UTF8.GetBytes(file.ToJsonString(s_indented) + "\n"), secret: true);
            return result;
        }
        catch (Exception exception) when (exception is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException($"{path} cannot be changed: {exception.Message}");
        }
    }

    private static void CreateDirectory(string directory)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(directory);
        }
        else
        {
            Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    private static FileStream Lock(string path)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (TimeProvider.System.GetElapsedTime(start) < s_lockPatience)
            {
                Task.Delay(s_lockInterval, TimeProvider.System).GetAwaiter().GetResult();
            }
        }
    }
}
