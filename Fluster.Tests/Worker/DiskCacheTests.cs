using System.Security.Cryptography;
using Fluster.Worker;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>The worker's cache keeps to its size, forgets what was used longest ago, and never what is in use.</summary>
public sealed class DiskCacheTests : IDisposable
{
    private const int BlobSize = 400;

    private readonly TemporaryDirectory _directory = new();
    private readonly BlobCache _blobs;
    private readonly BundleStore _bundles;
    private readonly Dictionary<string, byte[]> _cluster = new(StringComparer.Ordinal);
    private int _fetches;

    public DiskCacheTests()
    {
        var cache = new DiskCache(1000, () => BlobCache.EntriesOf(_directory.File("blobs")).Concat(BundleStore.EntriesOf(_directory.File("bundles"))));
        _blobs = new BlobCache(_directory.File("blobs"), FetchAsync, cache);
        _bundles = new BundleStore(_directory.File("bundles"), _blobs, cache);
    }

    [Fact]
    public async Task PastItsLimit_WhatWasUsedLongestAgoGoes()
    {
        var paths = new List<string>();
        for (var i = 0; i < 2; i++)
        {
            paths.Add(await UseAsync(Blob(i)));
        }

        File.SetLastAccessTimeUtc(paths[0], DateTime.UnixEpoch.AddDays(2));
        File.SetLastAccessTimeUtc(paths[1], DateTime.UnixEpoch.AddDays(1));
        paths.Add(await UseAsync(Blob(2)));

        Assert.Equal([true, false, true], paths.Select(File.Exists));
        await UseAsync(Blob(1)); // it is fetched again
        Assert.Equal(4, _fetches);
    }

    [Fact]
    public async Task WhatIsInUse_Stays()
    {
        using var hold = new CacheHold();
        var held = await _blobs.GetAsync(Blob(0), CancellationToken.None, hold);
        File.SetLastAccessTimeUtc(held, DateTime.UnixEpoch);
        for (var i = 1; i < 6; i++)
        {
            await UseAsync(Blob(i));
        }

        Assert.True(File.Exists(held));
        hold.Dispose();
        File.SetLastAccessTimeUtc(held, DateTime.UnixEpoch);
        await UseAsync(Blob(6));
        await UseAsync(Blob(7));
        Assert.False(File.Exists(held));
    }

    [Fact]
    public async Task Bundle_InUse_StaysAndGoesAfterwards()
    {
        using var hold = new CacheHold();
        var manifest = new V1.BundleManifest { Files = { new V1.BundleFile { Path = "app.dll", Blob = Blob(0) } } };
        var bundle = await _bundles.GetAsync(Add(Google.Protobuf.MessageExtensions.ToByteArray(manifest)), CancellationToken.None, hold);
        Directory.SetLastAccessTimeUtc(bundle, DateTime.UnixEpoch);
        for (var i = 1; i < 5; i++)
        {
            await UseAsync(Blob(i));
        }

        Assert.True(File.Exists(Path.Combine(bundle, "app.dll")));
        hold.Dispose();
        Directory.SetLastAccessTimeUtc(bundle, DateTime.UnixEpoch);
        await UseAsync(Blob(5));
        await UseAsync(Blob(6));
        Assert.False(Directory.Exists(bundle));
    }

    public void Dispose() => _directory.Dispose();

    private async Task<string> UseAsync(V1.BlobRef blob)
    {
        using var hold = new CacheHold();
        return await _blobs.GetAsync(blob, CancellationToken.None, hold);
    }

    private V1.BlobRef Blob(int number) => Add([.. Enumerable.Repeat((byte)number, BlobSize)]);

    private V1.BlobRef Add(byte[] content)
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(content));
        _cluster[hash] = content;
        return new V1.BlobRef { Hash = hash, Size = content.Length };
    }

    private async Task FetchAsync(V1.BlobRef blob, Stream destination, CancellationToken cancellationToken)
    {
        _fetches++;
        await destination.WriteAsync(_cluster[blob.Hash], cancellationToken);
    }
}
