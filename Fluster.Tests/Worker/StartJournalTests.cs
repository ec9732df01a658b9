using Fluster.Cluster;
using Fluster.Worker;

namespace Fluster.Tests;

/// <summary>What was started is remembered, whatever happens.</summary>
public sealed class StartJournalTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Open_Again_KnowsWhatWasStartedAndWhatIsDone()
    {
        using (var journal = Open())
        {
            journal.Start(new Fence(1));
            journal.Start(new Fence(2));
            journal.Forget(new Fence(1));
            journal.Start(new Fence(3));
        }

        using var again = Open();
        Assert.Equal([new Fence(2), new Fence(3)], again.Started.Order());
        Assert.Equal([new Fence(1)], again.Forgotten);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(23)]
    public void Open_LastRecordCutOff_IsIgnored(int missing)
    {
        using (var journal = Open())
        {
            journal.Start(new Fence(1));
            journal.Start(new Fence(2));
        }

        using (var file = File.OpenWrite(_directory.File("starts")))
        {
            file.SetLength(file.Length - missing);
        }

        using (var again = Open())
        {
            Assert.Equal([new Fence(1)], again.Started);
            again.Start(new Fence(3));
        }

        using var last = Open();
        Assert.Equal([new Fence(1), new Fence(3)], last.Started.Order());
    }

    [Fact]
    public void Open_ManyDone_KeepsTheNewest()
    {
        using (var journal = Open())
        {
            for (var i = 1UL; i <= 10_100; i++)
            {
                journal.Forget(new Fence(i));
            }
        }

        using var again = Open();
        Assert.Equal(10_000, again.Forgotten.Count);
        Assert.Equal(new Fence(101), again.Forgotten.First());
        Assert.Equal(10_000 * 24, new FileInfo(_directory.File("starts")).Length);
    }

    private StartJournal Open() => StartJournal.Open(_directory.File("starts"));
}
