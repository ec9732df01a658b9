using System.Globalization;
using System.Text.Json.Serialization;

namespace Fluster.Cluster;

// The engine's messages, as far as they are used. Names are the engine's.

internal sealed record DockerVersion(string Version, string ApiVersion);

internal sealed record DockerImage(string Id, DockerImageConfig? Config);

internal sealed record DockerImageConfig(string? User, string? WorkingDir);

internal sealed record DockerContainerRequest
{
    public required string Image { get; init; }

    /// <summary>The program and its arguments. Replaces what the image would start.</summary>
    public required IReadOnlyList<string> Entrypoint { get; init; }

    /// <summary>Each <c>NAME=value</c>; over those of the image.</summary>
    public required IReadOnlyList<string> Env { get; init; }

    /// <summary>Null: the image's.</summary>
    public string? User { get; init; }

    /// <summary>Null: the image's.</summary>
    public string? WorkingDir { get; init; }

    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    public required DockerHostConfig HostConfig { get; init; }
}

internal sealed record DockerHostConfig
{
    /// <summary>Bytes; 0: no limit.</summary>
    public long Memory { get; init; }

    /// <summary>Bytes of memory and swap together; the same as <see cref="Memory"/>: no swap.</summary>
    public long MemorySwap { get; init; }

    /// <summary>Billionths of a core; 0: no limit.</summary>
    public long NanoCpus { get; init; }

    public string? NetworkMode { get; init; }

    /// <summary>Whether the engine's own small init is the first process: it passes signals on and reaps.</summary>
    public bool Init { get; init; }

    public IReadOnlyList<string> CapDrop { get; init; } = [];

    public IReadOnlyList<string> SecurityOpt { get; init; } = [];

    /// <summary>More groups of the container's user, by name or number.</summary>
    public IReadOnlyList<string> GroupAdd { get; init; } = [];

    public IReadOnlyList<DockerMount> Mounts { get; init; } = [];

    public DockerLogConfig? LogConfig { get; init; }

    /// <summary>Null: none.</summary>
    public IReadOnlyList<DockerDeviceRequest>? DeviceRequests { get; init; }
}

/// <summary>Devices that the container gets, and no others; inside they are numbered from 0.</summary>
/// <param name="DeviceIDs">By their numbers on the engine's machine.</param>
/// <param name="Capabilities">What the driver has to be able to do: one of these sets.</param>
internal sealed record DockerDeviceRequest(IReadOnlyList<string> DeviceIDs, IReadOnlyList<IReadOnlyList<string>> Capabilities)
{
    /// <summary>GPUs, with what programs need of their driver.</summary>
    public static DockerDeviceRequest Gpus(IEnumerable<int> indices) => new([.. indices.Select(index => index.ToString(CultureInfo.InvariantCulture))], [["gpu"]]);
}

/// <summary>A file or directory of this machine, seen inside.</summary>
internal sealed record DockerMount(string Source, string Target, bool ReadOnly)
{
    public string Type { get; } = "bind";
}

/// <summary>What the engine itself does with output; "none": nothing.</summary>
internal sealed record DockerLogConfig(string Type);

internal sealed record DockerCreated(string Id);

internal sealed record DockerContainer(string Id, DockerState State);

/// <param name="Status">created, running, paused, restarting, removing, exited or dead.</param>
/// <param name="Pid">The first process, as the engine's machine numbers it; 0 when none runs.</param>
/// <param name="OOMKilled">Whether the kernel killed one of its processes because the container had no memory left.</param>
/// <param name="ExitCode">Once it has ended.</param>
/// <param name="Error">Why it could not be started.</param>
internal sealed record DockerState(string Status, int Pid, bool OOMKilled, int ExitCode, string? Error);

internal sealed record DockerExit(long StatusCode);

internal sealed record DockerListed(string Id, string State, IReadOnlyDictionary<string, string>? Labels);

internal sealed record DockerProblem([property: JsonPropertyName("message")] string? Message);

internal sealed record DockerProgress([property: JsonPropertyName("error")] string? Error);

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(DockerVersion))]
[JsonSerializable(typeof(DockerImage))]
[JsonSerializable(typeof(DockerContainerRequest))]
[JsonSerializable(typeof(DockerCreated))]
[JsonSerializable(typeof(DockerContainer))]
[JsonSerializable(typeof(DockerExit))]
[JsonSerializable(typeof(DockerListed[]))]
[JsonSerializable(typeof(DockerProblem))]
[JsonSerializable(typeof(DockerProgress))]
[JsonSerializable(typeof(Dictionary<string, string[]>))]
internal sealed partial class DockerJson : JsonSerializerContext;
