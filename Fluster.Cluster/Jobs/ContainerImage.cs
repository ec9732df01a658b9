namespace Fluster.Cluster;

/// <summary>Names of container images: <c>[registry[:port]/]path[:tag][@digest]</c>.</summary>
internal static class ContainerImage
{
    private const int Longest = 512;

    /// <summary>What is wrong with a name, as a sentence; null when nothing is. Such a name becomes a part of a path, so nothing in it may lead elsewhere.</summary>
    public static string? Problem(string name) =>
        name.Length is > 0 and <= Longest && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' or ':' or '/' or '@')
        && name.Split('/').All(part => part.Length > 0 && char.IsAsciiLetterOrDigit(part[0]) && !part.Contains("..", StringComparison.Ordinal))
            ? null
            : $"'{name}' is not the name of a container image: write it like ubuntu:24.04 or registry.example.com/team/app:1.2.";

    /// <summary>Whether a name says which of the images of its path it means.</summary>
    public static bool HasTagOrDigest(string name) => name[(name.LastIndexOf('/') + 1)..].AsSpan().ContainsAny(':', '@');
}
