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

    private static async Task FillAsync(string directory)
    {
        using var lab = new LoopLab();
        lab.Start();
        for (var i = 0; i < 3; i++)
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
