using Fluster.Actors;
using Fluster.Cluster;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Fluster.Tests;

/// <summary>A service that uses a cluster and hosts an actor, with a real controller.</summary>
public sealed class ServiceIntegrationTests : IAsyncLifetime
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("fluster-service-");
    private ControllerProcess _controller = null!;

    public interface IGreeter
    {
        Task<string> Greet(string name);
    }

    public interface IWords
    {
        string Hello();
    }

    public async Task InitializeAsync() => _controller = await ControllerProcess.StartAsync();

    public async Task DisposeAsync()
    {
        await _controller.DisposeAsync();
        _directory.Delete(recursive: true);
    }

    [Fact]
    public async Task Service_HostsAnActor_OtherServicesCallItUntilItStops()
    {
        using var host = Service("fluster", services =>
        {
            services.AddSingleton<IWords, Words>();
            services.AddFlusterActor<IGreeter, Greeter>();
        });
        await host.StartAsync();
        using var other = Service("fluster");
        var factory = other.Services.GetRequiredService<IActorClientFactory>();
        using var client = factory.CreateClient<IGreeter>("greeter");
        using var pool = factory.CreatePool<IGreeter>("greeter");

        Assert.Equal("hello Ada", await client.Actor.Greet("Ada").WaitAsync(s_patience));
        await pool.WaitForSizeAsync(1);
        Assert.Equal(["hello Bob"], (await pool.Broadcast(actor => actor.Greet("Bob")).WaitAllAsync()).Select(one => one.ValueOrThrow()));

        await host.StopAsync();
        await using var admin = _controller.Client();
        await Eventually.True(async () => (await admin.EndpointRegistry.LookupAsync(Namespace.Default, "greeter")).Count == 0, () => "The endpoint is there.");
    }

    [Fact]
    public async Task CommandLine_ListsAndCallsTheActor()
    {
        using var host = Service("fluster", services =>
        {
            services.AddSingleton<IWords, Words>();
            services.AddFlusterActor<IGreeter, Greeter>("polite");
        });
        await host.StartAsync();
        var context = await CliProcess.WriteContextAsync(_directory.FullName, _controller.GrpcAddress, ServiceToken());

        using var list = CliProcess.Start(context, "actor", "list");
        using var methods = CliProcess.Start(context, "actor", "list", "polite");
        using var call = CliProcess.Start(context, "actor", "call", "polite", "Greet", "Ada");
        using var wrong = CliProcess.Start(context, "actor", "call", "polite", "Sing");
        using var nobody = CliProcess.Start(context, "actor", "call", "rude", "Greet", "Ada");

        Assert.Equal((0, 0, 0, 1), (await list.ExitAsync(), await methods.ExitAsync(), await call.ExitAsync(), await wrong.ExitAsync()));
        Assert.Matches(@"(?m)^polite +polite-[0-9a-f]{8} +http://127\.0\.0\.1:\d+/? +reg-", list.Out);
        Assert.StartsWith("Greet(string name)", methods.Out, StringComparison.Ordinal);
        Assert.Equal("\"hello Ada\"\n", call.Out);
        Assert.Contains("Method 'Sing' not found on actor 'polite'.", wrong.Error, StringComparison.Ordinal);
        Assert.NotEqual(0, await nobody.ExitAsync());
        Assert.Contains("There is no actor 'rude' in the namespace default. There are: polite.", nobody.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Health_FollowsTheController()
    {
        using var service = Service("fluster");
        var checks = service.Services.GetRequiredService<HealthCheckService>();

        Assert.Equal(HealthStatus.Healthy, (await checks.CheckHealthAsync()).Status);

        await _controller.KillAsync();
        Assert.Equal(HealthStatus.Unhealthy, (await checks.CheckHealthAsync()).Status);
    }

    [Fact]
    public async Task Keyed_EachNameHasItsOwnCluster()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration["ConnectionStrings:one"] = ConnectionString("left");
        builder.Configuration["ConnectionStrings:two"] = ConnectionString("right");
        builder.AddKeyedFlusterClient("one");
        builder.AddKeyedFlusterClient("two", settings => settings.Namespace = "other");
        await using var services = builder.Services.BuildServiceProvider();

        Assert.Equal(Namespace.Parse("left"), services.GetRequiredKeyedService<FlusterClient>("one").Namespace);
        Assert.Equal(Namespace.Parse("other"), services.GetRequiredKeyedService<FlusterClient>("two").Namespace);
        Assert.NotNull(services.GetRequiredKeyedService<IActorClientFactory>("two"));
        Assert.Null(services.GetService<FlusterClient>());
    }

    [Theory]
    [InlineData("Token=secret-word", "names no controller")]
    [InlineData("Endpoint=http://h:1;Tokn=secret-word", "a part 'tokn', which is unknown")]
    [InlineData("Endpoint=somewhere;Token=secret-word", "is not the address of a controller")]
    [InlineData("Endpoint=http://h:1;Namespace=No Name;Token=secret-word", "No Name")]
    [InlineData("Endpoint=http://h:1;;=;Token=secret-word", "is no connection string")]
    public async Task ConnectionString_ThatIsNone_SaysWhatIsWrongAndKeepsTheSecret(string text, string message)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration["ConnectionStrings:fluster"] = text;
        builder.AddFlusterClient("fluster");
        await using var services = builder.Services.BuildServiceProvider();

        var exception = Assert.Throws<FormatException>(services.GetRequiredService<FlusterClient>);

        Assert.StartsWith("the connection string 'fluster'", exception.Message, StringComparison.Ordinal);
        Assert.Contains(message, exception.Message, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("secret-word", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Actor_WithoutAName_IsRefused()
    {
        var exception = Assert.Throws<ArgumentException>(() => new ServiceCollection().AddFlusterActor<IWords, Words>());

        Assert.Contains("Words has no name as an actor", exception.Message, StringComparison.Ordinal);
    }

    private IHost Service(string name, Action<IServiceCollection>? configure = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration[$"ConnectionStrings:{name}"] = ConnectionString("default");
        builder.AddFlusterClient(name);
        configure?.Invoke(builder.Services);
        return builder.Build();
    }

    private string ConnectionString(string @namespace)
    {
        var key = string.Concat(_controller.ClusterKeyPem.Split('\n').Where(line => !line.StartsWith("-----", StringComparison.Ordinal)));
        return $"Endpoint={_controller.GrpcAddress};Token={ServiceToken()};Namespace={@namespace};ClusterKey={key}";
    }

    private string ServiceToken() => _controller.Sign(new TokenClaims { Role = TokenRoles.Service, Namespace = "default", ExpiresAt = 0 });

    private sealed class Words : IWords
    {
        public string Hello() => "hello";
    }

    [Actor("greeter")]
    private sealed class Greeter(IWords words) : IGreeter
    {
        public Task<string> Greet(string name) => Task.FromResult($"{words.Hello()} {name}");
    }
}
