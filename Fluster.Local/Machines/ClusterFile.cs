using System.Globalization;
using System.Text.Json;
using Fluster.Backends;
using Fluster.Controller;

namespace Fluster.Local;

/// <summary>A cluster whose machines come from backends, as <c>fluster cluster up -f</c> reads it: the controller's settings of its backends, and how machines reach the controller.</summary>
internal sealed record ClusterFile
{
    public const int UsualGrpcPort = 7071;
    public const int UsualHttpPort = 7070;

    /// <summary>As the user named it; empty when there is none.</summary>
    public string Path { get; init; } = "";

    public required IReadOnlyList<ClusterFileBackend> Backends { get; init; }

    /// <summary>The name or the address under which machines reach this computer; empty: they run on it.</summary>
    public string AdvertiseHost { get; init; } = "";

    public int GrpcPort { get; init; } = UsualGrpcPort;

    public int HttpPort { get; init; } = UsualHttpPort;

    /// <summary>The worker that machines of Google Cloud fetch; empty: the one beside this program.</summary>
    public string WorkerDirectory { get; init; } = "";

    public TimeSpan? VmOrphanTimeout { get; init; }

    /// <summary>Reads a file. What is wrong with it is found before anything is started.</summary>
    /// <exception cref="ClusterFileException">It cannot be read, or something in it is wrong.</exception>
    public static ClusterFile Read(string path)
    {
        byte[] content;
        try
        {
            content = File.ReadAllBytes(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new ClusterFileException([$"{path} cannot be read: {exception.Message}"]);
        }

        try
        {
            return new ClusterFileReader(path).Read(PlacedJson.Read(content));
        }
        catch (JsonException exception)
        {
            var why = exception.Message.Split(" LineNumber:")[0].Split(" Path:")[0];
            throw new ClusterFileException([$"{path}:{((exception.LineNumber ?? 0) + 1).ToString(CultureInfo.InvariantCulture)}: it is not JSON: {why}"]);
        }
    }

    /// <summary>What there is without a file: containers, or an emulated cloud.</summary>
    /// <param name="kind">Which backend.</param>
    public static ClusterFile Of(string kind) => new()
    {
        Backends =
        [
            new ClusterFileBackend(kind, 0, kind == VmBackends.Docker
                ? new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase) { [nameof(VmBackendOptions.Kind)] = kind }
                : new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
                {
                    [nameof(VmBackendOptions.Kind)] = kind,
                    [nameof(GcpOptions.Project)] = "emulated-project",
                    [$"{nameof(GcpOptions.Zones)}:0"] = "us-central1-a",
                    [$"{nameof(GcpOptions.Zones)}:1"] = "us-central1-b",
                }),
        ],
    };

    /// <summary>Only the backends of one kind.</summary>
    /// <exception cref="ClusterFileException">There are none.</exception>
    public ClusterFile Only(string kind) => Backends.Any(backend => backend.Kind == kind)
        ? this with { Backends = [.. Backends.Where(backend => backend.Kind == kind)] }
        : throw new ClusterFileException([$"{Path}:{Backends[0].Line}: there is no backend of kind '{kind}' in it, only of {string.Join(" and ", Backends.Select(backend => backend.Kind).Distinct(StringComparer.Ordinal))}."]);

    /// <summary>Refuses machines that could not reach the controller.</summary>
    /// <param name="emulated">Whether Google's machines are processes of this computer.</param>
    /// <exception cref="ClusterFileException">They could not.</exception>
    public void CheckReach(bool emulated)
    {
        if (AdvertiseHost.Length == 0 && Backends.FirstOrDefault(backend => backend.IsElsewhere(emulated)) is { } elsewhere)
        {
            throw new ClusterFileException([
                $"{Path}:{elsewhere.Line}: machines of '{elsewhere.Name}' reach the controller on this computer over a network: say under which name or address as \"AdvertiseHost\", beside \"Backends\"."
                + (elsewhere.IsGoogle ? " To try it without a cloud, add --emulator." : ""),
            ]);
        }
    }
}

/// <summary>One backend of the file.</summary>
/// <param name="Kind">What makes its machines.</param>
/// <param name="Line">Where it begins.</param>
/// <param name="Settings">Its settings by their paths, as the controller's configuration has them.</param>
internal sealed record ClusterFileBackend(string Kind, int Line, IReadOnlyDictionary<string, string> Settings)
{
    private const string HostNetwork = "host";

    public bool IsGoogle => Kind is VmBackends.Gce or VmBackends.Tpu;

    public string Name => Get(nameof(VmBackendOptions.Name)) ?? Kind;

    public IEnumerable<string> Zones => Settings.Where(pair => pair.Key.StartsWith(nameof(GcpOptions.Zones) + ":", StringComparison.OrdinalIgnoreCase)).Select(pair => pair.Value);

    public string? Get(string setting) => Settings.GetValueOrDefault(setting);

    /// <summary>Whether its machines have a network that is not this computer's own.</summary>
    public bool IsElsewhere(bool emulated) => IsGoogle ? !emulated : Get("Network") is { Length: > 0 } and not HostNetwork;
}

/// <summary>A file of a cluster is wrong.</summary>
/// <param name="problems">What is wrong, each with the file and the line.</param>
internal sealed class ClusterFileException(IReadOnlyList<string> problems) : Exception(string.Join('\n', problems))
{
    public IReadOnlyList<string> Problems => problems;
}
