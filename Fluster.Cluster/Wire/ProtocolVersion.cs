namespace Fluster.Cluster;

/// <summary>The version of the protocol between clients, workers and controllers. Another major version is refused, naming both.</summary>
internal static class ProtocolVersion
{
    /// <summary>The metadata key that carries it.</summary>
    public const string Metadata = "fluster-protocol";

    public const int Major = 1;

    public const string Current = "1.0";
}
