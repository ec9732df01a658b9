using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Fluster.Tests;

/// <summary>What a resource is told by its environment, seen from inside the process.</summary>
public class EnvironmentTests
{
    [Fact]
    public async Task WithEnvironment_EveryForm_ReachesTheProcess()
    {
        await using var app = new TestApplication("--Parameters:city=Basel");
        var city = app.Builder.AddParameter("city");
        var other = app.AddScript("other", "sleep 1000").WithHttpEndpoint(name: "api", env: "LISTEN_ON");
        var api = other.GetEndpoint("api");
        app.AddScript("shown", "env")
            .WithEnvironment("TEXT", "plain")
            .WithEnvironment("NOTHING", (string?)null)
            .WithEnvironment("LATE", () => "said late")
            .WithEnvironment("PARAMETER", city)
            .WithEnvironment("ENDPOINT", api)
            .WithEnvironment("PORT", api.Property(EndpointProperty.Port))
            .WithEnvironment("MIXED", $"{city}-{api}/path {{brace}}")
            .WithEnvironment(context => context.EnvironmentVariables["NUMBER"] = 42);

        await app.StartAsync();
        var environment = await app.OutputAsync("shown");

        var port = api.Port;
        Assert.Contains("TEXT=plain", environment);
        Assert.Contains("NOTHING=", environment);
        Assert.Contains("LATE=said late", environment);
        Assert.Contains("PARAMETER=Basel", environment);
        Assert.Contains($"ENDPOINT=http://localhost:{port}", environment);
        Assert.Contains($"PORT={port}", environment);
        Assert.Contains($"MIXED=Basel-http://localhost:{port}/path {{brace}}", environment);
        Assert.Contains("NUMBER=42", environment);
    }

    [Fact]
    public async Task WithReference_Service_GivesBothForms()
    {
        await using var app = new TestApplication();
        var shop = app.Builder.AddResource(new Shop("my-shop")).WithHttpEndpoint(port: 12001).WithHttpEndpoint(port: 12002, name: "admin");
        app.Builder.AddExecutable("all", "env", ".").WithReference(shop);
        app.Builder.AddExecutable("one", "env", ".").WithReference(shop.GetEndpoint("admin"));
        app.Builder.AddExecutable("named", "env", ".").WithReference(shop, "Till");
        app.Builder.AddExecutable("outside", "env", ".").WithReference("weather", new Uri("https://weather.example"));
        // A resource that is no process gets its address from whoever made it.
        app.Builder.OnBeforeStart((_, _) =>
        {
            foreach (var endpoint in shop.Resource.Annotations.OfType<EndpointAnnotation>())
            {
                endpoint.AllocatedEndpoint = new AllocatedEndpoint(endpoint, "localhost", endpoint.Port!.Value);
            }

            return Task.CompletedTask;
        });

        await app.StartAsync();

        Assert.Equal(
            ["MY_SHOP_ADMIN=http://localhost:12002", "MY_SHOP_HTTP=http://localhost:12001", "services__my-shop__admin__0=http://localhost:12002", "services__my-shop__http__0=http://localhost:12001"],
            await ReferencesAsync("all"));
        Assert.Equal(["MY_SHOP_ADMIN=http://localhost:12002", "services__my-shop__admin__0=http://localhost:12002"], await ReferencesAsync("one"));
        Assert.Equal(
            ["Till_ADMIN=http://localhost:12002", "Till_HTTP=http://localhost:12001", "services__Till__admin__0=http://localhost:12002", "services__Till__http__0=http://localhost:12001"],
            await ReferencesAsync("named"));
        Assert.Equal(["services__weather__default__0=https://weather.example/", "weather=https://weather.example/"], await ReferencesAsync("outside"));

        async Task<string[]> ReferencesAsync(string name) => [.. (await app.OutputAsync(name))
            .Where(line => line.StartsWith("MY_SHOP", StringComparison.Ordinal) || line.StartsWith("services__", StringComparison.Ordinal)
                || line.StartsWith("Till", StringComparison.Ordinal) || line.StartsWith("weather", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)];
    }

    [Fact]
    public async Task WithReference_ConnectionString_GivesTheStringAndItsParts()
    {
        await using var app = new TestApplication();
        var store = app.Builder.AddResource(new Store("store", "host=db;port=5"));
        app.AddScript("default", "env").WithReference(store);
        app.AddScript("renamed", "env").WithReference(store, "main");

        await app.StartAsync();

        var byDefault = await app.OutputAsync("default");
        Assert.Contains("ConnectionStrings__store=host=db;port=5", byDefault);
        Assert.Contains("STORE_HOST=db", byDefault);
        var renamed = await app.OutputAsync("renamed");
        Assert.Contains("ConnectionStrings__main=host=db;port=5", renamed);
        Assert.Contains("MAIN_HOST=db", renamed);
    }

    [Fact]
    public async Task WithReference_NoConnectionString_FailsUnlessOptional()
    {
        await using var app = new TestApplication();
        var store = app.Builder.AddResource(new Store("store", connectionString: null));
        app.AddScript("needs", "env").WithReference(store);
        app.AddScript("copes", "env").WithReference(store, optional: true);

        await app.StartAsync();

        await app.WhenAsync("needs", KnownResourceStates.FailedToStart);
        Assert.Contains("The connection string for the resource 'store' is not available.", (await app.LogAsync("needs"))[^1], StringComparison.Ordinal);
        Assert.Contains("ConnectionStrings__store=", await app.OutputAsync("copes"));
    }

    [Fact]
    public async Task Parameter_Missing_SaysHowToSetIt()
    {
        await using var app = new TestApplication();
        app.AddScript("needs", "env").WithEnvironment("KEY", app.Builder.AddParameter("api-key", secret: true));

        await app.StartAsync();

        await app.WhenAsync("needs", KnownResourceStates.FailedToStart);
        var message = (await app.LogAsync("needs"))[^1];
        Assert.Contains("'api-key' has no value", message, StringComparison.Ordinal);
        Assert.Contains("Parameters__api-key", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithArgs_EveryForm_ReachesTheProcess()
    {
        await using var app = new TestApplication();
        var name = app.Builder.AddParameter("name", "a b");
        app.Builder.AddExecutable("shown", "printf", ".", "%s\n", "first").WithArgs("second", "").WithArgs(name).WithArgs(context => context.Args.Add("last"));

        await app.StartAsync();

        Assert.Equal(["first", "second", "", "a b", "last"], await app.OutputAsync("shown"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("-a")]
    [InlineData("1a")]
    [InlineData("a-")]
    [InlineData("a--b")]
    [InlineData("a_b")]
    public void AddResource_BadName_IsRefused(string name)
    {
        var builder = DistributedApplication.CreateBuilder();

        Assert.ThrowsAny<ArgumentException>(() => builder.AddExecutable(name, "sh", "."));
    }

    [Fact]
    public void AddResource_SameNameInOtherCase_IsRefused()
    {
        var builder = DistributedApplication.CreateBuilder();
        builder.AddExecutable("shop", "sh", ".");

        Assert.Throws<DistributedApplicationException>(() => builder.AddParameter("SHOP"));
    }

    [Fact]
    public void GeneratedPassword_KeepsItsPromises()
    {
        var password = new GenerateParameterDefault { MinLength = 30, Special = false, MinUpper = 5, MinNumeric = 3 }.GetDefaultValue();

        Assert.Equal(30, password.Length);
        Assert.All(password, c => Assert.True(char.IsAsciiLetterOrDigit(c)));
        Assert.True(password.Count(char.IsAsciiLetterUpper) >= 5);
        Assert.True(password.Count(char.IsAsciiDigit) >= 3);
        Assert.NotEqual(password, new GenerateParameterDefault { MinLength = 30 }.GetDefaultValue());
    }

    private sealed class Shop(string name) : Resource(name), IResourceWithServiceDiscovery;

    private sealed class Store(string name, string? connectionString) : Resource(name), IResourceWithConnectionString
    {
        public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create($"{connectionString}");

        public ValueTask<string?> GetConnectionStringAsync(CancellationToken cancellationToken = default) => new(connectionString);

        public IEnumerable<KeyValuePair<string, ReferenceExpression>> GetConnectionProperties() => [new("Host", ReferenceExpression.Create($"db"))];
    }
}
