using Microsoft.Extensions.Logging;

namespace Fluster.Backends;

/// <summary>What a backend is made with.</summary>
/// <param name="Kind">One of <see cref="VmBackends.Kinds"/>.</param>
/// <param name="Name">What it is called in the state and in messages.</param>
/// <param name="Path">Where its settings are, for messages: <c>Fluster:Controller:Backends:0</c>.</param>
/// <param name="Settings">The settings of its kind, by their path below <paramref name="Path"/>, in any case: <c>Zones:0</c>.</param>
internal sealed record VmBackendSetup(string Kind, string Name, string Path, IReadOnlyDictionary<string, string> Settings)
{
    /// <summary>Whose machines they are.</summary>
    public required string ClusterId { get; init; }

    /// <summary>A directory that the backend may have for itself. It need not exist yet.</summary>
    public required string DataDirectory { get; init; }

    public required TimeProvider Time { get; init; }

    public required ILoggerFactory Loggers { get; init; }

    /// <summary>The value of a setting; null when it is not there, or empty.</summary>
    public string? Get(string key) => Settings.TryGetValue(key, out var value) && value.Length > 0 ? value : null;

    /// <summary>A setting as something else than text.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public T Get<T>(string key, T otherwise, Func<string, T> parse)
    {
        if (Get(key) is not { } text)
        {
            return otherwise;
        }

        try
        {
            return parse(text);
        }
        catch (Exception exception) when (exception is FormatException or OverflowException or ArgumentException)
        {
            throw new FormatException($"{Path}:{key} is '{text}': {exception.Message}", exception);
        }
    }

    /// <summary>Refuses settings that this kind does not have: one that is misspelt would be passed over in silence.</summary>
    /// <exception cref="FormatException">There is one.</exception>
    public void Only(params ReadOnlySpan<string> known)
    {
        var names = known.ToArray();
        if (Settings.Keys.FirstOrDefault(key => !names.Contains(key.Split(':')[0], StringComparer.OrdinalIgnoreCase)) is { } unknown)
        {
            throw new FormatException($"{Path}:{unknown}: a backend of kind '{Kind}' has no such setting. It has {string.Join(", ", names)}.");
        }
    }
}

/// <summary>Makes backends by their kind.</summary>
internal static class VmBackends
{
    public const string Local = "local";
    public const string Docker = "docker";
    public const string Gce = "gce";
    public const string Tpu = "tpu";

    public static IReadOnlyList<string> Kinds { get; } = [Local, Docker, Gce, Tpu];

    /// <exception cref="FormatException">A setting is missing or wrong; the message has its path.</exception>
    public static IVmBackend Create(VmBackendSetup setup) => setup.Kind switch
    {
        Local => LocalProcessBackend.Create(setup),
        Docker => DockerBackend.Create(setup),
        Gce => GcpBackends.ComputeEngine(setup.Name, GcpSettings.Read(setup.Settings, setup.Path), setup.ClusterId, setup.Time, setup.Loggers),
        Tpu => GcpBackends.Tpu(setup.Name, GcpSettings.Read(setup.Settings, setup.Path), setup.ClusterId, setup.Time, setup.Loggers),
        _ => throw new FormatException($"{setup.Path}:Kind is '{setup.Kind}', and this build has no such backend."),
    };
}
