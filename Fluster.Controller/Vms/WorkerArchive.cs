using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using Microsoft.Extensions.Options;

namespace Fluster.Controller;

/// <summary>
/// The worker program as machines fetch it: an archive (tar, gzip) of the directory that it was published to, under a path that needs a worker's token. Written once for each start
/// of the controller, when the first machine needs it; the same files give the same bytes, and so the same hash.
/// </summary>
internal sealed class WorkerArchive(IOptions<ControllerOptions> options, OpenedCluster opened, ServedAddresses addresses)
{
    /// <summary>Where it is served.</summary>
    public const string Path = "/worker-package";

    private readonly Lock _lock = new();
    private (string File, string Sha256)? _written;

    /// <summary>What machines are told of it; null where none is configured, and backends have machines with a worker on them.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public WorkerPackage? Package => Write() is { } written ? new WorkerPackage(new Uri(new Uri(BaseAddress), Path), written.Sha256) : null;

    public IResult Serve() => Write() is { } written
        ? Results.File(written.File, "application/gzip", entityTag: new Microsoft.Net.Http.Headers.EntityTagHeaderValue($"\"{written.Sha256}\""))
        : Results.Problem($"This controller has no worker program for machines: {ControllerOptions.Section}:{nameof(ControllerOptions.WorkerDirectory)} names none.", statusCode: StatusCodes.Status409Conflict);

    /// <summary>Writes the files of a directory, by name, without times and owners.</summary>
    public static void Write(string directory, Stream to)
    {
        using var packed = new GZipStream(to, CompressionLevel.Fastest, leaveOpen: true);
        using var archive = new TarWriter(packed, TarEntryFormat.Ustar, leaveOpen: true);
        foreach (var file in Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            using var content = File.OpenRead(file);
            archive.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, System.IO.Path.GetRelativePath(directory, file).Replace('\\', '/'))
            {
                DataStream = content,
                ModificationTime = DateTimeOffset.UnixEpoch,
                Mode = OperatingSystem.IsWindows() ? UnixFileMode.UserRead | UnixFileMode.UserWrite : File.GetUnixFileMode(file),
            });
        }
    }

    private string BaseAddress => options.Value.AdvertiseHttpAddress is { Length: > 0 } advertised ? advertised : addresses.Http;

    private (string File, string Sha256)? Write()
    {
        if (options.Value.WorkerDirectory is not { Length: > 0 } directory)
        {
            return null;
        }

        lock (_lock)
        {
            if (_written is not { } written)
            {
                var file = System.IO.Path.Combine(opened.Directory.FullPath, "worker-package.tar.gz");
                using (var draft = File.Create(file + ".draft"))
                {
                    Write(System.IO.Path.GetFullPath(directory), draft);
                    draft.Position = 0;
                    _written = written = (file, Convert.ToHexStringLower(SHA256.HashData(draft)));
                }

                File.Move(file + ".draft", file, overwrite: true);
            }

            return written;
        }
    }
}
