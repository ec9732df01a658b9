using Microsoft.Extensions.Logging;

namespace Fluster.Backends;

/// <summary>Makes the backends of Google Cloud from their settings.</summary>
internal static class GcpBackends
{
    /// <param name="name">The backend's name in the configuration.</param>
    /// <param name="options">Checked settings: <see cref="GcpOptions.Problems"/> is empty.</param>
    /// <param name="clusterId">Whose machines it makes, lists and removes.</param>
    /// <param name="time">The clock by which it waits.</param>
    /// <param name="loggers">Where it logs.</param>
    public static GceBackend ComputeEngine(string name, GcpOptions options, string clusterId, TimeProvider time, ILoggerFactory loggers) =>
        ComputeEngine(name, options, clusterId, GcpConnection.For(options, time), loggers);

    public static GceBackend ComputeEngine(string name, GcpOptions options, string clusterId, GcpConnection connection, ILoggerFactory loggers) =>
        new(name, options, clusterId, new ComputeClient(connection, options.ComputeBaseUri, options.Project), loggers.CreateLogger<GceBackend>());

    /// <summary>The same for TPU slices.</summary>
    public static TpuBackend Tpu(string name, GcpOptions options, string clusterId, TimeProvider time, ILoggerFactory loggers) =>
        Tpu(name, options, clusterId, GcpConnection.For(options, time), loggers);

    public static TpuBackend Tpu(string name, GcpOptions options, string clusterId, GcpConnection connection, ILoggerFactory loggers) =>
        new(name, options, clusterId, new TpuClient(connection, options.TpuBaseUri, options.Project), connection, loggers.CreateLogger<TpuBackend>());
}
