using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>Which changes of endpoints can still be read, and which are too long ago.</summary>
public class EndpointFeedTests
{
    private const int Kept = 10_000;

    private readonly EndpointFeed _feed = new(version: 0);
    private long _version;

    [Fact]
    public void ReadAfter_AVersion_GivesTheLaterChangesThatMatch()
    {
        Commit(Added("a", "e1"), Added("b", "e2"));
        Commit(Removed("a", "e1"), Added("a", "e3"));

        Assert.Equal(["+ e1", "- e1", "+ e3"], Read(0, "a"));
        Assert.Equal(["- e1", "+ e3"], Read(1, "a"));
        Assert.Equal([], Read(4, "a"));
    }

    [Fact]
    public void ReadAfter_LongerAgoThanIsKept_GivesNothing()
    {
        Commit([.. Enumerable.Range(0, Kept).Select(number => Added("a", $"e{number}"))]);
        Assert.Equal(Kept, Read(0, "a")!.Count);

        Commit(Added("b", "e"));

        Assert.Null(Read(0, "a"));
        Assert.Equal(Kept, Read(1, null)!.Count);
    }

    [Fact]
    public void ReadAfter_FromBeforeTheStart_GivesNothing()
    {
        var feed = new EndpointFeed(version: 7);

        Assert.Null(feed.ReadAfter(6, _ => true, out _));
        Assert.Equal([], feed.ReadAfter(7, _ => true, out var version));
        Assert.Equal(7, version);
    }

    [Fact]
    public void Watch_OfOneName_FiresForThatNameOnly()
    {
        using var one = _feed.Open(new EndpointKey(Namespace.Default, "a"));
        using var all = _feed.Open(null);
        var (oneFired, allFired) = (one.Changed.Next, all.Changed.Next);

        Commit(Added("b", "e1"));

        Assert.True(allFired.IsCompleted);
        Assert.False(oneFired.IsCompleted);
        Commit(Added("a", "e2"));
        Assert.True(oneFired.IsCompleted);
    }

    private static (EndpointRecord Endpoint, bool Removed) Added(string name, string id) => (Record(name, id), false);

    private static (EndpointRecord Endpoint, bool Removed) Removed(string name, string id) => (Record(name, id), true);

    private static EndpointRecord Record(string name, string id) => new()
    {
        Uid = 1,
        Id = EndpointId.Parse(id),
        Namespace = Namespace.Default,
        Name = name,
        Address = "host:1",
        Owner = new EndpointOwner(default, RegistrationId.Parse("r")),
    };

    /// <summary>A batch of one step per change, as the loop folds it.</summary>
    private void Commit(params (EndpointRecord Endpoint, bool Removed)[] steps)
    {
        var batch = new Batch();
        var state = new ClusterState { Meta = new ClusterMeta { ClusterId = "c", Epoch = 1 } };
        var view = new ClusterView(state, new JobDirectory());
        foreach (var (endpoint, removed) in steps)
        {
            var changes = new ClusterChanges { Meta = state.Meta with { EndpointVersion = ++_version } };
            if (removed)
            {
                changes.RemovedEndpoints.Add(endpoint);
            }
            else
            {
                changes.Endpoints.Put(_version, endpoint);
            }

            batch.Add(changes, view);
        }

        _feed.OnCommitted(state, batch);
    }

    private IReadOnlyList<string>? Read(long after, string? name) =>
        _feed.ReadAfter(after, endpoint => name is null || endpoint.Name == name, out _)?.Select(change => $"{(change.Removed ? '-' : '+')} {change.Endpoint.Id}").ToList();
}
