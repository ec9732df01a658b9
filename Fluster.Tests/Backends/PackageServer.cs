using System.Formats.Tar;
using System.IO.Compression;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Fluster.Cluster;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Fluster.Tests;

/// <summary>Serves a worker package to whoever has the token, as a controller does.</summary>
internal sealed class PackageServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly byte[] _archive;
    private int _fetched;
    private int _failures;

    private PackageServer(WebApplication app, byte[] archive, string scheme)
    {
        (_app, _archive) = (app, archive);
        Scheme = scheme;
    }

    public string Scheme { get; }

    public string Token { get; set; } = "a.b.c";

    /// <summary>How often it was fetched by somebody with the token.</summary>
    public int Fetched => Volatile.Read(ref _fetched);

    public WorkerPackage Package => new(new Uri(new Uri(_app.Urls.First()), "worker.tar.gz"), Convert.ToHexStringLower(SHA256.HashData(_archive)));

    /// <param name="files">What is in the package, by name.</param>
    /// <param name="certificate">With one, it speaks TLS.</param>
    /// <param name="failures">The first requests that it answers with an error.</param>
    public static async Task<PackageServer> StartAsync(IReadOnlyDictionary<string, byte[]> files, X509Certificate2? certificate = null, int failures = 0)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            if (certificate is not null)
            {
                listen.UseHttps(certificate);
            }
        }));
        if (certificate is not null)
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
        }

        var app = builder.Build();
        var server = new PackageServer(app, Pack(files), certificate is null ? "http" : "https") { _failures = failures };
        app.Run(server.AnswerAsync);
        await app.StartAsync();
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        if (context.Request.Headers.Authorization != $"Bearer {Token}")
        {
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
        }
        else if (Interlocked.Decrement(ref _failures) >= 0)
        {
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        }
        else
        {
            Interlocked.Increment(ref _fetched);
            await context.Response.Body.WriteAsync(_archive, context.RequestAborted);
        }
    }

    private static byte[] Pack(IReadOnlyDictionary<string, byte[]> files)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        using (var tar = new TarWriter(gzip))
        {
            foreach (var (name, content) in files)
            {
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content), Mode = (UnixFileMode)0b110_100_100 });
            }
        }

        return packed.ToArray();
    }
}
