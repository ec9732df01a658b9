using System.Collections.Frozen;
using System.Security.Cryptography;

namespace Fluster.Controller;

/// <summary>Stylesheets, scripts and drawings of the pages: parts of the program, found by names that change with what is in them.</summary>
internal static class DashboardAssets
{
    public const string Prefix = "/assets/";

    private const string Resources = "assets/";

    private static readonly FrozenDictionary<string, Asset> s_assets = typeof(DashboardAssets).Assembly.GetManifestResourceNames()
        .Where(name => name.StartsWith(Resources, StringComparison.Ordinal))
        .Select(Load)
        .ToFrozenDictionary(asset => asset.Name, StringComparer.Ordinal);

    /// <summary>Where a page finds one.</summary>
    public static string Url(string name) => $"{Prefix}{name}?v={s_assets[name].Version}";

    public static IResult Serve(string name, HttpContext context)
    {
        context.Response.Headers.XContentTypeOptions = "nosniff";
        if (!s_assets.TryGetValue(name, out var asset))
        {
            return Results.NotFound();
        }

        // What is asked for by version never changes.
        context.Response.Headers.CacheControl = context.Request.Query["v"] == asset.Version ? "public, max-age=31536000, immutable" : "no-cache";
        return Results.Bytes(asset.Content, asset.Type);
    }

    private static Asset Load(string resource)
    {
        using var stream = typeof(DashboardAssets).Assembly.GetManifestResourceStream(resource)!;
        var content = new byte[stream.Length];
        stream.ReadExactly(content);
        var name = resource[Resources.Length..];
        var type = Path.GetExtension(name) switch
        {
            ".css" => "text/css; charset=utf-8",
            ".js" => "text/javascript; charset=utf-8",
            ".svg" => "image/svg+xml",
            _ => "application/octet-stream",
        };
        return new Asset(name, content, type, Convert.ToHexStringLower(SHA256.HashData(content).AsSpan(0, 6)));
    }

    private sealed record Asset(string Name, byte[] Content, string Type, string Version);
}
