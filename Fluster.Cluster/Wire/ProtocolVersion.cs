namespace Fluster.Cluster;

/// <summary>The version of the protocol between clients, workers and controllers. Another major version is refused, naming both.</summary>
internal static class ProtocolVersion
{
    /// <summary>The metadata key that carries it.</summary>
    public const string Metadata = "fluster-protocol";

    public const int Major = 1;

    public const string Current = "1.0";

    /// <summary>Why a caller of this version cannot be served; null when it can, or names none.</summary>
    public static string? Problem(string? callers)
    {
        if (callers is null)
        {
            return null;
        }

        var dot = callers.IndexOf('.', StringComparison.Ordinal);
        return int.TryParse(dot < 0 ? callers : callers[..dot], out var major) && major == Major
            ? null
            : $"The caller speaks protocol version '{callers}' and this side {Current}: update the older one.";
    }
}
