using System.Security.Cryptography;
using System.Text;
using Fluster.Controller;

namespace Fluster.Tests;

public sealed class BlobStoreTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly BlobStore _store;

    public BlobStoreTests() => _store = new BlobStore(_directory.Path);

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Complete_WholeBlob_IsThereAndReadsBack()
    {
        var (hash, bytes) = Blob("hello");

        Receive(hash, bytes.Length, bytes);

        Assert.True(_store.Has(hash));
        Assert.Equal(bytes, _store.Read(hash, 100));
        Assert.Equal(bytes.Length, _store.Size(hash));
    }

    [Fact]
    public void Complete_EmptyBlob_IsThere()
    {
        var (hash, bytes) = Blob("");

        Receive(hash, 0, bytes);

        Assert.Equal(0, _store.Size(hash));
    }

    [Fact]
    public void Complete_OtherContentThanItsName_IsRefusedAndLeavesNothing()
    {
        var (hash, _) = Blob("hello");

        var refused = Assert.Throws<BlobRefusedException>(() => Receive(hash, 5, "hallo"u8.ToArray()));

        Assert.Contains(hash, refused.Message, StringComparison.Ordinal);
        Assert.False(_store.Has(hash));
        Assert.Empty(Directory.GetFiles(_directory.Path, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public void Complete_FewerBytesThanAnnounced_IsRefused()
    {
        var (hash, bytes) = Blob("hello");

        Assert.Throws<BlobRefusedException>(() => Receive(hash, 6, bytes));

        Assert.False(_store.Has(hash));
    }

    [Fact]
    public void Write_MoreBytesThanAnnounced_IsRefused() =>
        Assert.Throws<BlobRefusedException>(() => Receive(Blob("hello").Hash, 4, "hello"u8.ToArray()));

    [Theory]
    [InlineData("")]
    [InlineData("../../etc/passwd")]
    [InlineData("ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789")]
    public void Begin_NameThatIsNoHash_IsRefused(string name)
    {
        Assert.Throws<BlobRefusedException>(() => _store.Begin(new() { Hash = name, Size = 1 }));
        Assert.False(_store.Has(name));
        Assert.Null(_store.OpenRead(name));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(BlobStore.MaxSize + 1)]
    public void Begin_ImpossibleSize_IsRefused(long size) =>
        Assert.Throws<BlobRefusedException>(() => _store.Begin(new() { Hash = Blob("x").Hash, Size = size }));

    [Fact]
    public void Begin_AfterARestartInTheMiddle_LeavesNoPieces()
    {
        var (hash, bytes) = Blob("hello");
        var abandoned = _store.Begin(new() { Hash = hash, Size = bytes.Length });
        abandoned.Write(bytes.AsSpan(0, 2));

        var restarted = new BlobStore(_directory.Path);

        Assert.False(restarted.Has(hash));
        Assert.Empty(Directory.GetFiles(_directory.Path, "*", SearchOption.AllDirectories));
        abandoned.Dispose();
    }

    [Fact]
    public void Missing_SomeHereSomeNot_NamesThoseThatAreNotOnce()
    {
        var (here, bytes) = Blob("here");
        var (gone, _) = Blob("gone");
        Receive(here, bytes.Length, bytes);

        Assert.Equal([gone], _store.Missing([here, gone, gone]));
    }

    [Fact]
    public void Complete_SameBlobTwiceAtOnce_BothSucceed()
    {
        var (hash, bytes) = Blob("hello");
        using var first = _store.Begin(new() { Hash = hash, Size = bytes.Length });
        using var second = _store.Begin(new() { Hash = hash, Size = bytes.Length });
        first.Write(bytes);
        second.Write(bytes);

        first.Complete();
        second.Complete();

        Assert.Equal(bytes, _store.Read(hash, 100));
    }

    private static (string Hash, byte[] Bytes) Blob(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        return (Convert.ToHexStringLower(SHA256.HashData(bytes)), bytes);
    }

    private void Receive(string hash, long size, byte[] bytes)
    {
        using var upload = _store.Begin(new() { Hash = hash, Size = size });
        upload.Write(bytes);
        upload.Complete();
    }

    [Fact]
    public void DeleteUnused_TakesOnlyWhatNothingNamesAndNobodyAskedFor()
    {
        var hour = TimeSpan.FromHours(1);
        var now = TimeProvider.System.GetUtcNow();
        var (named, asked, unused, fresh) = (Old("named"), Old("asked"), Old("unused"), Put("fresh"));
        Assert.True(_store.Has(asked)); // a client that hears this will not send it

        var deleted = _store.DeleteUnused(new HashSet<string>(StringComparer.Ordinal) { named }, now - hour);

        Assert.Equal((1, 6L), deleted);
        Assert.Equal([unused], _store.Missing([named, asked, unused, fresh]));

        string Old(string text)
        {
            var hash = Put(text);
            File.SetLastWriteTimeUtc(Path.Combine(_directory.Path, "blobs", hash[..2], hash), (now - 2 * hour).UtcDateTime);
            return hash;
        }

        string Put(string text)
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            var hash = Convert.ToHexStringLower(SHA256.HashData(bytes));
            using var upload = _store.Begin(new Fluster.Cluster.V1.BlobRef { Hash = hash, Size = bytes.Length });
            upload.Write(bytes);
            upload.Complete();
            return hash;
        }
    }
}
