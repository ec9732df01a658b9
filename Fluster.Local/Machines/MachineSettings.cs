using System.Globalization;
using Fluster.Backends;
using Fluster.Controller;

namespace Fluster.Local;

/// <summary>The controller's configuration for a cluster whose machines come from backends.</summary>
internal static class MachineSettings
{
    /// <summary>How long machines of this computer go on without their controller: when its end was not as it should be, they are soon gone.</summary>
    private static readonly TimeSpan s_shortOrphanTimeout = TimeSpan.FromMinutes(5);

    /// <summary>The backends.</summary>
    public static Dictionary<string, string?> Of(IReadOnlyList<ClusterFileBackend> backends)
    {
        var settings = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        foreach (var (index, backend) in backends.Index())
        {
            foreach (var (key, text) in backend.Settings)
            {
                settings[$"{ControllerOptions.Section}:{nameof(ControllerOptions.Backends)}:{index.ToString(CultureInfo.InvariantCulture)}:{key}"] = text;
            }
        }

        return settings;
    }

    /// <summary>The backends and all else.</summary>
    /// <param name="file">A checked file.</param>
    /// <param name="emulator">Where Google's machines come from instead; null: from Google.</param>
    public static Dictionary<string, string?> Of(ClusterFile file, Uri? emulator)
    {
        var settings = Of([.. file.Backends.Select(backend => emulator is not null && backend.IsGoogle ? At(backend, emulator) : backend)]);
        var isElsewhere = file.Backends.Any(backend => backend.IsElsewhere(emulator is not null));
        Set(nameof(ControllerOptions.VmOrphanTimeout), (file.VmOrphanTimeout ?? (isElsewhere ? new ControllerOptions().VmOrphanTimeout : s_shortOrphanTimeout)).ToString("c", CultureInfo.InvariantCulture));
        if (file.Backends.Any(backend => backend.IsGoogle))
        {
            // Beside this program is all that a worker needs.
            Set(nameof(ControllerOptions.WorkerDirectory), file.WorkerDirectory.Length > 0 ? file.WorkerDirectory : AppContext.BaseDirectory);
        }

        if (isElsewhere)
        {
            var host = file.AdvertiseHost.Contains(':', StringComparison.Ordinal) ? $"[{file.AdvertiseHost}]" : file.AdvertiseHost;
            settings["Kestrel:Endpoints:grpc:Url"] = string.Create(CultureInfo.InvariantCulture, $"https://*:{file.GrpcPort}");
            settings["Kestrel:Endpoints:http:Url"] = string.Create(CultureInfo.InvariantCulture, $"https://*:{file.HttpPort}");
            Set(nameof(ControllerOptions.AdvertiseAddress), string.Create(CultureInfo.InvariantCulture, $"https://{host}:{file.GrpcPort}"));
            Set(nameof(ControllerOptions.AdvertiseHttpAddress), string.Create(CultureInfo.InvariantCulture, $"https://{host}:{file.HttpPort}"));
        }

        return settings;

        void Set(string key, string value) => settings[$"{ControllerOptions.Section}:{key}"] = value;
    }

    private static ClusterFileBackend At(ClusterFileBackend backend, Uri emulator) => backend with
    {
        Settings = new Dictionary<string, string>(backend.Settings, StringComparer.OrdinalIgnoreCase)
        {
            [nameof(GcpOptions.ComputeBaseUri)] = new Uri(emulator, "compute/v1/").AbsoluteUri,
            [nameof(GcpOptions.TpuBaseUri)] = emulator.AbsoluteUri,
            [nameof(GcpOptions.AccessToken)] = "emulated",
        },
    };
}
