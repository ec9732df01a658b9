using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Fluster.Worker;

/// <summary>What the worker keeps on its disk about itself and its cluster: one small file.</summary>
internal sealed class ClusterMemory
{
    private const string FileName = "worker.json";

    private readonly Lock _gate = new();
    private readonly string _path;
    private Content _content;

    private ClusterMemory(string path, Content content)
    {
        _path = path;
        _content = content;
    }

    /// <summary>The cluster that the worker belongs to; null while it has joined none.</summary>
    public ClusterIdentity? Cluster => _content.ClusterId is { } id ? new ClusterIdentity(id, _content.Epoch) : null;

    /// <summary>Larger at every start of the worker.</summary>
    public ulong Incarnation => _content.Incarnation;

    /// <summary>The cluster's public key, PEM; empty while it has joined none.</summary>
    public string ClusterKey => _content.ClusterKey ?? "";

    /// <summary>Reads the file of a data directory, or begins one, and counts this start.</summary>
    public static ClusterMemory Open(string dataDirectory, DateTimeOffset now)
    {
        var path = Path.Combine(dataDirectory, FileName);
        var content = File.Exists(path)
            ? JsonSerializer.Deserialize(File.ReadAllBytes(path), WorkerJson.Default.Content) ?? new Content()
            : new Content();

        // Above what a worker of the same name had in a data directory that is gone, as far as clocks can tell.
        var memory = new ClusterMemory(path, content with { Incarnation = Math.Max(content.Incarnation + 1, (ulong)now.ToUnixTimeMilliseconds()) });
        memory.Save(memory._content);
        return memory;
    }

    /// <summary>The token to begin with: the newest that followed from the configured one, or that one itself.</summary>
    public string TokenOr(string configured) => _content is { Token: { } newest, TokenOf: { } first } && first == HashOf(configured) ? newest : configured;

    /// <summary>Keeps a token that replaces the configured one, also over restarts.</summary>
    public void KeepToken(string token, string configured)
    {
        lock (_gate)
        {
            Save(_content with { Token = token, TokenOf = HashOf(configured) });
        }
    }

    public void Remember(ClusterIdentity cluster, string clusterKey)
    {
        lock (_gate)
        {
            Save(_content with { ClusterId = cluster.ClusterId, Epoch = cluster.Epoch, ClusterKey = clusterKey });
        }
    }

    private static string HashOf(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    private void Save(Content content)
    {
        DurableFile.Write(_path, JsonSerializer.SerializeToUtf8Bytes(content, WorkerJson.Default.Content), secret: true);
        _content = content;
    }

    internal sealed record Content
    {
        public string? ClusterId { get; init; }

        public long Epoch { get; init; }

        public string? ClusterKey { get; init; }

        public ulong Incarnation { get; init; }

        /// <summary>The worker's newest token. Secret.</summary>
        public string? Token { get; init; }

        /// <summary>Which configured token it followed from, as a hash: another one in the settings wins.</summary>
        public string? TokenOf { get; init; }
    }
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(ClusterMemory.Content))]
internal sealed partial class WorkerJson : JsonSerializerContext;
