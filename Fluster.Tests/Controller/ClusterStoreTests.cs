using Fluster.Controller;
using Microsoft.Data.Sqlite;

namespace Fluster.Tests;

/// <summary>The database: what is damaged is noticed, what is not ours is refused.</summary>
public class ClusterStoreTests
{
    [Fact]
    public async Task DamagedRow_IsNamedAtTheStart()
    {
        using var directory = new TemporaryDirectory();
        await FillAsync(directory.Path);
        Execute(directory.Path, "UPDATE jobs SET body = zeroblob(length(body)) WHERE uid = 2");

        var exception = Assert.Throws<StoreCorruptException>(() => OpenedCluster.Open(directory.Path));

        Assert.Contains("Row 2 of table 'jobs'", exception.Message, StringComparison.Ordinal);
        Assert.Contains(Path.Combine(directory.Path, "state.db"), exception.Message, StringComparison.Ordinal);
        Assert.Contains("back-up", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task UnreadableBody_OfAGoodRow_IsNamedToo()
    {
        using var directory = new TemporaryDirectory();
        await FillAsync(directory.Path);
        Execute(directory.Path, "DELETE FROM requests WHERE uid = 3");

        var exception = Assert.Throws<StoreCorruptException>(() => OpenedCluster.Open(directory.Path));

        Assert.Contains("Row 3 of table 'jobs' does not fit the others", exception.Message, StringComparison.Ordinal);
    }

    /// <summary>A page with a thousand bytes of something else, at each place of the file in turn: it is noticed, or it was not in use.</summary>
    [Fact]
    public async Task DamagedPage_Anywhere_IsNoticedOrChangesNothing_AndLosesNothing()
    {
        using var directory = new TemporaryDirectory();
        await FillAsync(directory.Path, jobs: 200);
        var path = Path.Combine(directory.Path, "state.db");
        var good = await File.ReadAllBytesAsync(path);
        var noticed = 0;
        const int PageSize = 4096;
        for (var page = 0; page < good.Length / PageSize; page++)
        {
            var bad = (byte[])good.Clone();
            bad.AsSpan(page * PageSize, 1000).Fill(0x5a);
            await File.WriteAllBytesAsync(path, bad);
            try
            {
                using var opened = OpenedCluster.Open(directory.Path);
                Assert.Equal(200, opened.State.Jobs.Count);
            }
            catch (StoreException exception)
            {
                noticed++;
                Assert.Contains(path, exception.Message, StringComparison.Ordinal);
            }
        }

        await File.WriteAllBytesAsync(path, good);
        using var restored = OpenedCluster.Open(directory.Path);

        Assert.True(noticed > 10, $"{noticed} of {good.Length / PageSize} damages were noticed.");
        Assert.Equal(200, restored.State.Jobs.Count);
    }

    [Fact]
    public async Task OlderSchema_IsBroughtUpToDate()
    {
        using var directory = new TemporaryDirectory();
        await FillAsync(directory.Path);
        Execute(directory.Path, "DROP TABLE archive; DROP TABLE tombstones; DROP TABLE registrations; DROP TABLE actions; DROP TABLE vms; DROP TABLE vm_blocks; PRAGMA user_version = 1");

        using (var opened = OpenedCluster.Open(directory.Path))
        {
            Assert.Equal(3, opened.State.Jobs.Count);
        }

        using var connection = new SqliteConnection($"Data Source={Path.Combine(directory.Path, "state.db")};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT (SELECT user_version FROM pragma_user_version) || ' ' || (SELECT count(*) FROM archive) || ' ' || (SELECT count(*) FROM tombstones)";
        Assert.Equal("5 0 0", command.ExecuteScalar());
    }

    [Fact]
    public async Task Checkpoints_HappenBesideTheCommits()
    {
        using var lab = new LoopLab();
        lab.Start();
        var database = new FileInfo(Path.Combine(lab.DataDirectory, "state.db"));
        var before = database.Length;

        // More rows than the write-ahead log keeps. Only a checkpoint writes to the file itself.
        await Task.WhenAll(Enumerable.Range(0, 25_000).Select(_ => lab.Loop.SubmitAsync(LoopLab.Submit(), default)));

        await Eventually.True(() => new FileInfo(database.FullName).Length > before + (1 << 20), "The log was not copied back.");
        await lab.Loop.SubmitAsync(LoopLab.Submit(), default);
    }

    [Fact]
    public async Task RowOfAnotherPlace_IsNoticed()
    {
        using var directory = new TemporaryDirectory();
        await FillAsync(directory.Path);
        Execute(directory.Path, "UPDATE jobs SET body = (SELECT body FROM jobs WHERE uid = 1), sum = (SELECT sum FROM jobs WHERE uid = 1) WHERE uid = 2");

        Assert.Throws<StoreCorruptException>(() => OpenedCluster.Open(directory.Path));
    }

    [Fact]
    public async Task GarbageInTheFile_IsNoticed()
    {
        using var directory = new TemporaryDirectory();
        await FillAsync(directory.Path);
        await using (var file = File.OpenWrite(Path.Combine(directory.Path, "state.db")))
        {
            file.Write(new byte[4096]);
        }

        Assert.ThrowsAny<StoreException>(() => OpenedCluster.Open(directory.Path));
    }

    [Fact]
    public async Task LaterSchema_IsRefused()
    {
        using var directory = new TemporaryDirectory();
        await FillAsync(directory.Path);
        Execute(directory.Path, "PRAGMA user_version = 1000");

        var exception = Assert.Throws<StoreException>(() => OpenedCluster.Open(directory.Path));

        Assert.Contains("later version", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SecondController_OnTheSameDirectory_IsRefused()
    {
        using var directory = new TemporaryDirectory();
        using var first = OpenedCluster.Open(directory.Path);

        var exception = Assert.Throws<StoreException>(() => OpenedCluster.Open(directory.Path));

        Assert.Contains("another controller holds it", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FailedOpen_LeavesTheDirectoryUsable()
    {
        using var directory = new TemporaryDirectory();
        using (OpenedCluster.Open(directory.Path))
        {
            Assert.Throws<StoreException>(() => OpenedCluster.Open(directory.Path));
        }

        using var again = OpenedCluster.Open(directory.Path);
        Assert.Equal(2, again.State.Meta.Epoch);
    }

    /// <summary>What a crash leaves: the write-ahead log, its last commit cut off in the middle.</summary>
    [Fact]
    public async Task TornLog_LosesOnlyTheCommitThatWasNotComplete()
    {
        using var lab = new LoopLab();
        using var copy = new TemporaryDirectory();
        lab.Start();
        await lab.Loop.SubmitAsync(LoopLab.Submit("first-00000001"), default);
        await lab.Loop.SubmitAsync(LoopLab.Submit("second-00000001"), default);
        foreach (var name in (string[])["state.db", "state.db-wal"])
        {
            File.Copy(Path.Combine(lab.DataDirectory, name), Path.Combine(copy.Path, name));
        }

        using (var log = File.OpenWrite(Path.Combine(copy.Path, "state.db-wal")))
        {
            log.SetLength(log.Length - 100);
        }

        using var opened = OpenedCluster.Open(copy.Path);

        Assert.Equal(["first-00000001"], opened.State.Jobs.Ascending().Select(job => job.Id.ToString()));
    }

    private static async Task FillAsync(string directory, int jobs = 3)
    {
        using var lab = new LoopLab();
        lab.Start();
        for (var i = 0; i < jobs; i++)
        {
            await lab.Loop.SubmitAsync(LoopLab.Submit(), default);
        }

        lab.Reopen(); // closing copies the log back
        foreach (var path in Directory.GetFiles(lab.DataDirectory, "state.db*"))
        {
            File.Copy(path, Path.Combine(directory, Path.GetFileName(path)));
        }
    }

    private static void Execute(string directory, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(directory, "state.db")};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // Constants of this file.
        command.CommandText = sql;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }
}
