using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fluster.Cluster;

namespace Fluster.Cli;

/// <summary>Changes the user's context file. What others wrote into it stays; only the owner can read it.</summary>
internal static class ContextWriter
{
    private static readonly TimeSpan s_lockPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_lockInterval = TimeSpan.FromMilliseconds(20);
    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true };

    /// <summary>Adds or replaces a context and makes it the current one.</summary>
    /// <exception cref="CommandFailedException">The file cannot be read or written.</exception>
    public static void Put(string path, string name, ClusterContextEntry entry)
    {
        try
        {
            CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            using var held = Lock(path + ".lock");
            var file = File.Exists(path) ? JsonNode.Parse(File.ReadAllText(path)) as JsonObject ?? [] : [];
            if (file["contexts"] is not JsonObject contexts)
            {
                file["contexts"] = contexts = [];
            }

            contexts[name] = JsonSerializer.SerializeToNode(entry, ClusterContextJson.Default.ClusterContextEntry);
            file["current"] = name;
            DurableFile.Write(path, Encoding.UTF8.GetBytes(file.ToJsonString(s_indented) + "\n"), secret: true);
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
