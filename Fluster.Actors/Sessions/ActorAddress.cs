namespace Fluster.Actors;

/// <summary>The addresses of actor servers.</summary>
internal static class ActorAddress
{
    public const string Unix = "unix";

    public static bool IsValid(string address) =>
        Uri.TryCreate(address, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" or Unix or "local";
}
