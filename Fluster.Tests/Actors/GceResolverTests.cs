using Fluster.Actors;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Actors that are found by what is written on instances (seed 001, stage 6). The directory is the test's own, as the seed has it.</summary>
public sealed class GceResolverTests
{
    private static readonly string[] s_found = ["http://10.0.0.1:8080", "http://10.0.0.2:8081"];

    // test_gcs_resolver_finds_actors
    [Fact]
    public async Task Resolve_RunningInstanceWithTheActor_IsFound()
    {
        var resolver = new GceResolver(new Instances(Instance("worker-1", "10.0.0.1", ("fluster_namespace", "default"), ("fluster_actor_inference", "8080"))));

        var result = await resolver.ResolveAsync("inference");

        var found = Assert.Single(result.Endpoints);
        Assert.Equal(("gcs-worker-1-inference", "http://10.0.0.1:8080", "worker-1"), (found.Id, found.Address, found.Metadata["instance"]));
        Assert.Equal(("inference", Namespace.Default), (result.Name, result.Namespace));
    }

    // test_gcs_resolver_filters_namespace
    [Fact]
    public async Task Resolve_InstanceOfAnotherNamespace_IsNotFound()
    {
        var instances = new Instances(Instance("worker-1", "10.0.0.1", ("fluster_namespace", "other"), ("fluster_actor_inference", "8080")));

        Assert.True((await new GceResolver(instances).ResolveAsync("inference")).IsEmpty);
        Assert.False((await new GceResolver(instances, Namespace.Parse("other")).ResolveAsync("inference")).IsEmpty);
        Assert.False((await new GceResolver(instances).ResolveAsync("inference", Namespace.Parse("other"))).IsEmpty);
    }

    // test_gcs_resolver_ignores_non_running
    [Theory]
    [InlineData(VmStatus.Creating)]
    [InlineData(VmStatus.Stopping)]
    [InlineData(VmStatus.Stopped)]
    [InlineData(VmStatus.Unknown)]
    public async Task Resolve_InstanceThatDoesNotRun_IsNotFound(VmStatus status)
    {
        var instances = new Instances(Instance("worker-1", "10.0.0.1", ("fluster_actor_inference", "8080")) with { Status = status });

        Assert.True((await new GceResolver(instances).ResolveAsync("inference")).IsEmpty);
    }

    [Fact]
    public async Task Resolve_SeveralInstances_AreFoundByNameAndWhatCannotBeIsPassedOver()
    {
        var resolver = new GceResolver(new Instances(
            Instance("b", "10.0.0.2", ("fluster_actor_svc", "8081")),
            Instance("a", "10.0.0.1", ("fluster_actor_svc", "8080")),
            Instance("c", address: null, ("fluster_actor_svc", "8080")),
            Instance("d", "10.0.0.4", ("fluster_actor_svc", "no port")),
            Instance("e", "10.0.0.5", ("fluster_actor_other", "8080"))));

        Assert.Equal(s_found, (await resolver.ResolveAsync("svc")).Endpoints.Select(one => one.Address));
    }

    /// <summary>Keys of metadata have letters, digits, '_' and '-' only; other characters are written as -xx, and no two names have one key.</summary>
    [Theory]
    [InlineData("calculator", "fluster_actor_calculator")]
    [InlineData("a_B9", "fluster_actor_a_B9")]
    [InlineData("a/b", "fluster_actor_a-2fb")]
    [InlineData("a-2fb", "fluster_actor_a-2d2fb")]
    [InlineData("ü", "fluster_actor_-c3-bc")]
    public void KeyOf_AnyName_IsAKey(string name, string key) => Assert.Equal(key, GceResolver.KeyOf(name));

    [Fact]
    public async Task Publish_AServersActors_AreFoundByOthers()
    {
        var instances = new Instances(Instance("me", "127.0.0.1"));
        await using var server = new ActorServer(new ActorServerOptions { Announcements = TextWriter.Null });
        server.Register("counter/one", new ActorPoolTests.Counter(7));
        await server.StartAsync();

        await new GceResolver(instances, Namespace.Parse("team")).PublishAsync("me", server);

        using var client = new ActorClient<ActorPoolTests.ICounter>(new GceResolver(instances, Namespace.Parse("team"), server.Token), "counter/one");
        Assert.Equal(7, await client.Actor.Get());
        Assert.True((await new GceResolver(instances).ResolveAsync("counter/one")).IsEmpty);
    }

    [Fact]
    public async Task FindController_InstanceThatSaysSo_IsFound()
    {
        var running = Instance("head", "10.0.0.9", ("fluster-controller", "7410"));

        Assert.Equal(new Uri("http://10.0.0.9:7410"), await new GceResolver(new Instances(Instance("a", "10.0.0.1"), running)).FindControllerAsync());
        Assert.Equal(new Uri("https://head.example:443"), await new GceResolver(new Instances(Instance("head", "10.0.0.9", ("fluster-controller", "https://head.example:443")))).FindControllerAsync());
        Assert.Null(await new GceResolver(new Instances(running with { Status = VmStatus.Stopped })).FindControllerAsync());
    }

    [Fact]
    public async Task Watch_AnInstanceComes_IsTold()
    {
        var instances = new Instances();
        await using var watch = new GceResolver(instances, time: new QuickTime()).WatchAsync("svc").GetAsyncEnumerator();
        Assert.True(await watch.MoveNextAsync());
        Assert.True(watch.Current.IsEmpty);
        var next = watch.MoveNextAsync().AsTask();

        instances.Add(Instance("a", "10.0.0.1", ("fluster_actor_svc", "8080")));
        Assert.True(await next.WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.Equal("http://10.0.0.1:8080", watch.Current.First().Address);
    }

    private static InstanceInfo Instance(string name, string? address, params (string Key, string Value)[] metadata) =>
        new(name, VmStatus.Running, address, metadata.ToDictionary(pair => pair.Key, pair => pair.Value, StringComparer.Ordinal));

    /// <summary>All timers fire at once.</summary>
    private sealed class QuickTime : TimeProvider
    {
        private static readonly TimeSpan s_soon = TimeSpan.FromMilliseconds(1);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => base.CreateTimer(callback, state, s_soon, s_soon);
    }

    private sealed class Instances(params InstanceInfo[] instances) : IInstanceDirectory
    {
        private readonly List<InstanceInfo> _all = [.. instances];

        public async IAsyncEnumerable<InstanceInfo> ListAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            await Task.Yield();
            foreach (var instance in Snapshot())
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return instance;
            }
        }

        public void Add(InstanceInfo instance)
        {
            lock (_all)
            {
                _all.Add(instance);
            }
        }

        public Task SetMetadataAsync(string name, string key, string? value, CancellationToken cancellationToken = default)
        {
            lock (_all)
            {
                var index = _all.FindIndex(instance => instance.Name == name);
                var metadata = _all[index].Metadata.ToDictionary(StringComparer.Ordinal);
                metadata.Remove(key);
                if (value is not null)
                {
                    metadata[key] = value;
                }

                _all[index] = _all[index] with { Metadata = metadata };
            }

            return Task.CompletedTask;
        }

        private InstanceInfo[] Snapshot()
        {
            lock (_all)
            {
                return [.. _all];
            }
        }
    }
}
