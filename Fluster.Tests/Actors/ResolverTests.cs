using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Fluster.Actors;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>Names to endpoints (seed 001, stages 2 and 4). What needs a cluster is in the scenarios.</summary>
public sealed class ResolverTests
{
    private static readonly Namespace s_other = Namespace.Parse("other");

    // test_fixed_resolver_single
    [Fact]
    public async Task Fixed_OneAddress_IsFound()
    {
        var resolver = new FixedResolver("svc", "http://localhost:8080");

        var result = await resolver.ResolveAsync("svc");

        Assert.Equal(("fixed-svc-0", "http://localhost:8080"), (result.First().Id, result.First().Address));
        Assert.Single(result.Endpoints);
        Assert.Equal(("svc", Namespace.Default, false), (result.Name, result.Namespace, result.IsEmpty));
    }

    // test_fixed_resolver_multiple
    [Fact]
    public async Task Fixed_SeveralAddresses_HaveTheirIdsInOrder()
    {
        var resolver = new FixedResolver(new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal) { ["svc"] = ["http://h1:8080", "http://h2:8080"] });

        var result = await resolver.ResolveAsync("svc");

        Assert.Equal([("fixed-svc-0", "http://h1:8080"), ("fixed-svc-1", "http://h2:8080")], result.Endpoints.Select(endpoint => (endpoint.Id, endpoint.Address)));
    }

    // test_fixed_resolver_missing
    [Fact]
    public async Task Fixed_UnknownName_IsEmptyAndFirstSaysSo()
    {
        var result = await new FixedResolver("svc", "http://localhost:8080").ResolveAsync("missing", s_other);

        Assert.True(result.IsEmpty);
        Assert.Equal("Nobody serves 'missing' in the namespace other.", Assert.Throws<InvalidOperationException>(() => result.First()).Message);
    }

    // test_client_with_resolver
    [Fact]
    public async Task Fixed_AClientCallsWhatItFinds()
    {
        await using var server = new ActorServer(new ActorServerOptions { Announcements = TextWriter.Null });
        server.Register("echo", new ActorPoolTests.Counter(5));
        await server.StartAsync();
        using var client = new ActorClient<ActorPoolTests.ICounter>(new FixedResolver("echo", server.Address.ToString(), server.Token), "echo");

        Assert.Equal(5, await client.Actor.Get());
    }

    [Fact]
    public async Task Fixed_CountsInEveryNamespaceUnlessItHasOne()
    {
        var addresses = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal) { ["svc"] = ["http://localhost:8080"] };

        Assert.False((await new FixedResolver(addresses).ResolveAsync("svc", s_other)).IsEmpty);
        Assert.True((await new FixedResolver(addresses, @namespace: Namespace.Default).ResolveAsync("svc", s_other)).IsEmpty);
    }

    [Fact]
    public async Task Fixed_Watch_SaysItOnceAndGoesOn()
    {
        using var stop = new CancellationTokenSource();
        await using var watch = new FixedResolver("svc", "http://localhost:8080").WatchAsync("svc", cancellationToken: stop.Token).GetAsyncEnumerator();

        Assert.True(await watch.MoveNextAsync());
        Assert.Equal("http://localhost:8080", watch.Current.First().Address);
        var more = watch.MoveNextAsync();
        Assert.False(more.IsCompleted);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await more);
    }

    /// <summary>The argument goes before the resolver's own namespace, that before the context's, that before the default.</summary>
    [Theory]
    [InlineData("argument", "own", "context", "argument")]
    [InlineData(null, "own", "context", "own")]
    [InlineData(null, null, "context", "context")]
    [InlineData(null, null, null, "default")]
    public async Task Cluster_Namespace_HasItsPrecedence(string? argument, string? own, string? context, string expected)
    {
        var reader = new ScriptedReader();
        var resolver = new ClusterResolver(reader, own is null ? null : Namespace.Parse(own));
        using var scope = context is null ? default : new FlusterContext { Namespace = Namespace.Parse(context), JobId = JobId.Parse("job-1a2b3c4d") }.Enter();
        var asked = argument is null ? (Namespace?)null : Namespace.Parse(argument);

        var result = await resolver.ResolveAsync("svc", asked);
        reader.Updates.Writer.TryWrite(new EndpointUpdate { IsReset = true });
        await using var watch = resolver.WatchAsync("svc", asked).GetAsyncEnumerator();
        await Detached.Run(async () => Assert.True(await watch.MoveNextAsync())); // whoever reads has no context

        Assert.Equal([expected, expected], reader.Asked.Select(@namespace => @namespace.ToString()));
        Assert.Equal((expected, expected), (result.Namespace.ToString(), watch.Current.Namespace.ToString()));
    }

    [Fact]
    public async Task Cluster_Answer_CarriesAddressMetadataAndAge()
    {
        var asOf = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
        var reader = new ScriptedReader { Found = new EndpointList([Endpoint("ep-1", "10.0.0.1:8080"), Endpoint("ep-2", "local://localhost/3")], asOf) };

        var result = await new ClusterResolver(reader).ResolveAsync("svc");

        Assert.Equal([("ep-1", "http://10.0.0.1:8080"), ("ep-2", "local://localhost/3")], result.Endpoints.Select(endpoint => (endpoint.Id, endpoint.Address)));
        Assert.Equal("b", result.First().Metadata["a"]);
        Assert.Equal(asOf, result.AsOf);
    }

    [Fact]
    public async Task Cluster_NoAnswer_EndsByTheTimeout()
    {
        var resolver = new ClusterResolver(new ScriptedReader { IsStuck = true }, timeout: TimeSpan.FromMilliseconds(30));

        var error = await Assert.ThrowsAsync<TimeoutException>(() => resolver.ResolveAsync("svc"));

        Assert.Equal("The cluster did not say within 0.03 s who serves 'svc' in the namespace default.", error.Message);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => resolver.ResolveAsync("svc", cancellationToken: new CancellationToken(canceled: true)));
    }

    [Fact]
    public async Task Cluster_Watch_AddsUpChangesAndForgetsAtAReset()
    {
        var reader = new ScriptedReader();
        await using var watch = new ClusterResolver(reader).WatchAsync("svc").GetAsyncEnumerator();
        async Task<string> NextAsync(EndpointUpdate update)
        {
            reader.Updates.Writer.TryWrite(update);
            Assert.True(await watch.MoveNextAsync());
            return string.Join(' ', watch.Current.Endpoints.Select(endpoint => $"{endpoint.Id}={endpoint.Address[7..]}"));
        }

        Assert.Equal("ep-1=a ep-2=b", await NextAsync(new EndpointUpdate { IsReset = true, Registered = [Endpoint("ep-1", "a"), Endpoint("ep-2", "b")] }));
        Assert.Equal("ep-2=b ep-3=c", await NextAsync(new EndpointUpdate { Registered = [Endpoint("ep-3", "c")], Removed = [EndpointId.Parse("ep-1"), EndpointId.Parse("ep-9")] }));
        Assert.Equal("ep-2=d ep-3=c", await NextAsync(new EndpointUpdate { Registered = [Endpoint("ep-2", "d")] }));
        Assert.Equal("ep-4=e", await NextAsync(new EndpointUpdate { IsReset = true, Registered = [Endpoint("ep-4", "e")] }));
        Assert.Equal("", await NextAsync(new EndpointUpdate { IsReset = true }));
    }

    [Fact]
    public void Context_WithoutAController_SaysThatThereIsNoResolver()
    {
        var context = new FlusterContext { Namespace = Namespace.Default, JobId = JobId.Parse("job-1a2b3c4d") };

        var error = Assert.Throws<InvalidOperationException>(() => context.Resolver);

        Assert.StartsWith("The context of job-1a2b3c4d has no controller", error.Message, StringComparison.Ordinal);
    }

    // test_resolver_uses_context_namespace
    [Fact]
    public async Task Context_Resolver_LooksInTheNamespaceOfTheJob()
    {
        await using var client = new LocalClient();
        await using var registration = await client.EndpointRegistry.OpenRegistrationAsync(s_other);
        var endpoint = await registration.RegisterAsync("svc", "127.0.0.1:1");
        var context = new FlusterContext { Namespace = s_other, JobId = JobId.Parse("job-1a2b3c4d"), Controller = client };

        Assert.Equal(endpoint.Id.ToString(), (await context.Resolver.ResolveAsync("svc")).First().Id);
        Assert.True((await client.Resolver().ResolveAsync("svc")).IsEmpty);
        Assert.False((await client.Resolver(s_other).ResolveAsync("svc")).IsEmpty);
    }

    [Fact]
    public async Task Cluster_OfAClient_UsesItsNamespaceAndItsToken()
    {
        await using var client = new FlusterClient(new FlusterClientOptions { Address = "http://127.0.0.1:1", Token = "the-token" });
        await using var local = new LocalClient(new LocalClientOptions { Namespace = s_other });

        Assert.Equal("the-token", client.Resolver().Token);
        Assert.Null(local.Resolver().Token);
        Assert.Equal(s_other, (await local.Resolver().ResolveAsync("svc")).Namespace);
    }

    private static RegisteredEndpoint Endpoint(string id, string address) => new(EndpointId.Parse(id), Namespace.Default, "svc", address)
    {
        Metadata = new Dictionary<string, string>(StringComparer.Ordinal) { ["a"] = "b" },
    };

    private sealed class ScriptedReader : IEndpointReader
    {
        public Channel<EndpointUpdate> Updates { get; } = Channel.CreateUnbounded<EndpointUpdate>();

        public List<Namespace> Asked { get; } = [];

        public EndpointList Found { get; init; } = new([], default);

        public bool IsStuck { get; init; }

        public async Task<EndpointList> LookupAsync(Namespace @namespace, string name, CancellationToken cancellationToken = default)
        {
            Asked.Add(@namespace);
            await Task.Delay(IsStuck ? Timeout.InfiniteTimeSpan : TimeSpan.Zero, TimeProvider.System, cancellationToken);
            return Found;
        }

        public Task<EndpointList> ListAsync(Namespace @namespace, string prefix, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public async IAsyncEnumerable<EndpointUpdate> WatchAsync(Namespace @namespace, string name, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            Asked.Add(@namespace);
            await foreach (var update in Updates.Reader.ReadAllAsync(cancellationToken))
            {
                yield return update;
            }
        }

        public IAsyncEnumerable<EndpointUpdate> WatchPrefixAsync(Namespace @namespace, string prefix, CancellationToken cancellationToken = default) => throw new NotSupportedException();
    }
}
