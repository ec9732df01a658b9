using Fluster.Cluster;
using Fluster.Controller;
using Fluster.Worker;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>The rules of revocation and adoption, on both sides.</summary>
public class TrustRulesTests
{
    private static readonly string s_other = new('b', 32);

    [Fact]
    public void Revoke_RaisesTheTimeOfIssue_AndNeverLowersIt()
    {
        var lab = new MachineLab { Now = 90_500 };
        lab.Apply(new ClusterInput.RevokeTokens(Namespace.Parse("team")));
        Assert.Equal(91, lab.State.Meta.RevokedBefore["team"]);

        lab.Now = 30_000;
        lab.Apply(new ClusterInput.RevokeTokens(Namespace.Parse("team")));

        Assert.Equal(91, lab.State.Meta.RevokedBefore["team"]);
        Assert.Equal(["team"], lab.State.Meta.RevokedBefore.Keys);
    }

    [Fact]
    public void Adopt_PutsEveryLaterFenceAboveWhatThoseWorkersStarted()
    {
        var lab = new MachineLab();

        lab.Apply(new ClusterInput.AdoptWorkers(lab.State.Meta.ClusterId, Epoch: 9, Counter: 41));
        Assert.Equal((10, 42), (lab.State.Meta.Epoch, lab.State.Meta.NextAttempt));
        lab.Apply(new ClusterInput.AdoptWorkers(s_other, Epoch: 3, Counter: 0));

        Assert.Equal((10, 42), (lab.State.Meta.Epoch, lab.State.Meta.NextAttempt));
        Assert.Equal([s_other], lab.State.Meta.Adopted);
        Assert.Equal(RejectionKind.InvalidArgument, lab.Apply(new ClusterInput.AdoptWorkers(s_other, TrustRules.HighestEpoch, 0)).Rejection?.Kind);
        Assert.Equal(RejectionKind.InvalidArgument, lab.Apply(new ClusterInput.AdoptWorkers(s_other, 0, TrustRules.HighestCounter)).Rejection?.Kind);
    }

    [Fact]
    public void Meta_WithRevocationsAndAdoptions_SurvivesTheStore()
    {
        var lab = new MachineLab { Now = 5_000 };
        lab.Apply(new ClusterInput.RevokeTokens(Namespace.Parse("a")));
        lab.Apply(new ClusterInput.RevokeTokens(Namespace.Parse("b/c")));
        lab.Apply(new ClusterInput.AdoptWorkers(s_other, 3, 7));

        var read = Rows.ToRecord(Rows.ToRow(lab.State.Meta));

        Assert.Equal(lab.State.Meta.RevokedBefore, read.RevokedBefore);
        Assert.Equal(lab.State.Meta.Adopted, read.Adopted);
    }

    [Fact]
    public void Supervisor_OfAnAdoptedWorker_JoinsAndKillsOnlyWhatTheNewClusterDoesNotName()
    {
        var bench = new SupervisorBench();
        bench.Link();
        bench.DesireAll();
        bench.Begin(7);
        bench.Handle(new Worker.WorkerEvent.LinkClosed());

        Assert.Equal("refuse", bench.Link("cluster-b", 9));
        Assert.Equal("remember cluster-b/1", bench.LinkThatAdopts("cluster-b"));
        Assert.Contains("kill 7", bench.DesireAll(), StringComparison.Ordinal);
    }

    [Fact]
    public void Adoption_CountsOnlyWhenTheKnownKeySignedItForThisWorkerAndBothClusters()
    {
        using var directory = new TemporaryDirectory();
        using var key = ClusterKey.Create();
        using var stranger = ClusterKey.Create();
        var memory = ClusterMemory.Open(directory.Path, DateTimeOffset.UnixEpoch);
        var trust = new ClusterTrust(memory, "w1", "configured", TimeProvider.System);
        var good = new TokenClaims { Role = TokenRoles.Adoption, Subject = "old", Cluster = "new", Worker = "w1", ExpiresAt = long.MaxValue / 2 };
        V1.WorkerWelcome Welcome(ClusterKey signer, TokenClaims claims) => new() { ClusterId = "new", ClusterKey = signer.ExportPublicPem(), Adoption = signer.Sign(claims) };

        Assert.False(trust.IsAdopted(Welcome(key, good))); // it belongs to no cluster that it could leave
        memory.Remember(new ClusterIdentity("old", 4), key.ExportPublicPem());

        Assert.True(trust.IsAdopted(Welcome(key, good)));
        Assert.False(trust.IsAdopted(Welcome(stranger, good)));
        Assert.False(trust.IsAdopted(Welcome(key, good with { Worker = "w2" })));
        Assert.False(trust.IsAdopted(Welcome(key, good with { Subject = "older" })));
        Assert.False(trust.IsAdopted(Welcome(key, good with { Cluster = "newer" })));
        Assert.False(trust.IsAdopted(Welcome(key, good with { Role = TokenRoles.Admin })));
        Assert.False(trust.IsAdopted(Welcome(key, good with { ExpiresAt = 1 })));
        Assert.False(trust.IsAdopted(new V1.WorkerWelcome { ClusterId = "new", Adoption = "rubbish" }));
    }

    [Fact]
    public void RenewedToken_IsKeptOverRestarts_AndOnlyOneOfTheKnownCluster()
    {
        using var directory = new TemporaryDirectory();
        using var key = ClusterKey.Create();
        using var stranger = ClusterKey.Create();
        var memory = ClusterMemory.Open(directory.Path, DateTimeOffset.UnixEpoch);
        memory.Remember(new ClusterIdentity("old", 4), key.ExportPublicPem());
        var trust = new ClusterTrust(memory, "w1", "configured", TimeProvider.System);
        var claims = new TokenClaims { Role = TokenRoles.Worker, Worker = "w1", ExpiresAt = long.MaxValue / 2 };
        var renewed = key.Sign(claims);

        Assert.False(trust.Keep(stranger.Sign(claims), stranger.ExportPublicPem()));
        Assert.False(trust.Keep(key.Sign(claims with { Worker = "w2" }), ""));
        Assert.True(trust.Keep(renewed, ""));

        var again = ClusterMemory.Open(directory.Path, DateTimeOffset.UnixEpoch);
        Assert.Equal(renewed, again.TokenOr("configured"));
        Assert.Equal("another", again.TokenOr("another")); // the settings were changed since
    }
}
