using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Aspire.Hosting.Dashboard;

/// <summary>The style sheets, scripts and pictures, which are in this assembly.</summary>
internal static class DashboardAssets
{
    private const string Prefix = "assets/";

    public static void Map(WebApplication app)
    {
        foreach (var resource in typeof(DashboardAssets).Assembly.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)))
        {
            var content = new Lazy<byte[]>(() => Read(resource));
            var tag = new Lazy<string>(() => $"\"{Convert.ToHexStringLower(SHA256.HashData(content.Value))[..16]}\"");
            app.Get("/" + resource, context =>
            {
                context.Response.Headers.CacheControl = "no-cache"; // asked for again, and answered with 304
                return Task.FromResult(Results.Bytes(content.Value, TypeOf(resource), entityTag: new EntityTagHeaderValue(tag.Value)));
            });
        }
    }

    private static byte[] Read(string resource)
    {
        using var stream = typeof(DashboardAssets).Assembly.GetManifestResourceStream(resource)!;
        var content = new byte[stream.Length];
        stream.ReadExactly(content);
        return content;
    }

    private static string TypeOf(string name) => Path.GetExtension(name) switch
    {
        ".css" => "text/css; charset=utf-8",
        ".js" => "text/javascript; charset=utf-8",
        ".svg" => "image/svg+xml",
        _ => "application/octet-stream",
    };
}
