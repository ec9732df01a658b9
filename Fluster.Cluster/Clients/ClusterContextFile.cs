using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Fluster.Cluster;

/// <summary>The clusters that this user knows: <c>~/.fluster/context.json</c>, written when a cluster starts and by <c>fluster login</c>.</summary>
internal sealed record ClusterContextFile
{
    [JsonPropertyName("current")]
    public string? Current { get; init; }

    [JsonPropertyName("contexts")]
    public Dictionary<string, ClusterContextEntry> Contexts { get; set; } = []; // not init: the generated reader would give null where the file has nothing

    /// <summary>Where the file is.</summary>
    public static string Location => FlusterEnvironment.Get(FlusterEnvironment.ContextFile)
        ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify), ".fluster", "context.json");

    /// <summary>Reads the file; null when there is none.</summary>
    /// <exception cref="InvalidOperationException">It is there but cannot be read.</exception>
    public static ClusterContextFile? Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), ClusterContextJson.Default.ClusterContextFile);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception exception) when (exception is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new InvalidOperationException($"{path} cannot be read: {exception.Message} Delete it and start the cluster again to have it made anew.", exception);
        }
    }
}

/// <summary>One cluster that the user knows.</summary>
internal sealed record ClusterContextEntry
{
    /// <summary>The controller's gRPC address.</summary>
    [JsonPropertyName("address")]
    public string Address { get; set; } = "";

    /// <summary>The address of its pages.</summary>
    [JsonPropertyName("http")]
    public string? Http { get; init; }

    [JsonPropertyName("token")]
    public string? Token { get; init; }

    /// <summary>The cluster's public key, PEM.</summary>
    [JsonPropertyName("clusterKey")]
    public string? ClusterKey { get; init; }

    /// <summary>SHA-256 of the controller's certificate, when it made that itself.</summary>
    [JsonPropertyName("certificate")]
    public string? Certificate { get; init; }

    [JsonPropertyName("namespace")]
    public string? Namespace { get; init; }

    /// <summary>The process that started the cluster, when it is of this machine.</summary>
    [JsonPropertyName("pid")]
    public int? Pid { get; init; }

    /// <summary>When that process started, in seconds since 1970: another one may have its number later.</summary>
    [JsonPropertyName("started")]
    public long? Started { get; init; }

    /// <summary>Whether the process that started the cluster is gone. An entry without one (a login) is somebody's who wants it.</summary>
    [JsonIgnore]
    public bool IsLeftOver => Pid is { } pid && (StartOf(pid) is not { } started || Started is { } written && written != started);

    /// <summary>When a process started, in seconds since 1970; null when there is none.</summary>
    public static long? StartOf(int pid)
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
}

[JsonSerializable(typeof(ClusterContextFile))]
[JsonSourceGenerationOptions(WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
internal sealed partial class ClusterContextJson : JsonSerializerContext;
