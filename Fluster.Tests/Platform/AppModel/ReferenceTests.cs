using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Fluster.Tests;

/// <summary>References to what is not a process of the application: services elsewhere, connection strings; and what references put into an environment.</summary>
public class ReferenceTests
{
    private const string Print = "env | LC_ALL=C sort | grep -E '^(services__|SHOP|AWAY|STORE|ConnectionStrings__|MY_|WHERE)'";

    [Fact]
    public async Task ExternalService_IsToldByNameAndScheme()
    {
        await using var application = new TestApplication("--Parameters:place=https://far.example:9443/");
        var shop = application.Builder.AddExternalService("shop", "http://near.example:81");
        var place = application.Builder.AddExternalService("away", application.Builder.AddParameter("place"));
        application.AddScript("printer", Print).WithReference(shop).WithReference(place).WithEnvironment("WHERE", place);
        await application.StartAsync();

        Assert.Equal(
            ["AWAY=https://far.example:9443/", "SHOP=http://near.example:81/", "WHERE=https://far.example:9443/", "services__away__https__0=https://far.example:9443/", "services__shop__http__0=http://near.example:81/"],
            await application.OutputAsync("printer"));
        Assert.Equal("http://near.example:81/", Assert.Single((await application.WhenAsync("shop", KnownResourceStates.Running)).Urls).Url);
    }

    [Theory]
    [InlineData("shop.example", "'shop.example' is not an absolute address.")]
    [InlineData("http://shop.example/api", "has a path")]
    public void ExternalService_WithAWrongAddress_SaysWhatIsWrong(string url, string problem) =>
        Assert.Contains(problem, Assert.Throws<ArgumentException>(() => DistributedApplication.CreateBuilder([]).AddExternalService("shop", url)).Message, StringComparison.Ordinal);

    [Fact]
    public async Task ExternalService_IsHealthyWhenItAnswers()
    {
        await using var server = await StatusServer.StartAsync(); // answers 204 everywhere
        await using var application = new TestApplication();
        application.Builder.AddExternalService("well", server.Address).WithHttpHealthCheck("/anything", 204);
        application.Builder.AddExternalService("ill", server.Address).WithHttpHealthCheck();
        application.Builder.AddExternalService("nowhere", application.Builder.AddParameter("missing")).WithHttpHealthCheck();
        await application.StartAsync();

        await application.Notifications.WaitForResourceHealthyAsync("well").WaitAsync(TestApplication.Limit);
        Assert.Contains("answered 204, not 200", await ReportAsync("ill"), StringComparison.Ordinal);
        Assert.Contains("The parameter 'missing' has no value", await ReportAsync("nowhere"), StringComparison.Ordinal);

        async Task<string> ReportAsync(string name) =>
            (await application.Notifications.WaitForResourceAsync(name, change => change.Snapshot.HealthReports.Any(report => report.Description is not null)).WaitAsync(TestApplication.Limit))
                .Snapshot.HealthReports.Single().Description!;
    }

    [Fact]
    public async Task ConnectionStrings_ComeFromTheConfigurationOrAreMadeOfOthers()
    {
        await using var application = new TestApplication("--ConnectionStrings:db=Host=a;Port=1", "--Parameters:key=k");
        var key = application.Builder.AddParameter("key", secret: true);
        var db = application.Builder.AddConnectionString("db");
        var made = application.Builder.AddConnectionString("store", ReferenceExpression.Create($"At=here;Key={key}"));
        var built = application.Builder.AddConnectionString("other", expression => expression.Append($"Of={key}"));
        var own = application.Builder.AddConnectionString("own", "MY_OWN");
        application.Builder.Configuration["ConnectionStrings:own"] = "mine";
        application.AddScript("printer", Print).WithReference(db).WithReference(made).WithReference(built).WithReference(own).WaitFor(made);
        await application.StartAsync();

        Assert.Equal(
            ["ConnectionStrings__db=Host=a;Port=1", "ConnectionStrings__other=Of=k", "ConnectionStrings__store=At=here;Key=k", "MY_OWN=mine"],
            await application.OutputAsync("printer"));
    }

    [Fact]
    public async Task ConnectionString_ThatNobodyGave_KeepsWhoNeedsItFromStarting()
    {
        await using var application = new TestApplication();
        application.AddScript("printer", "exit 0").WithReference(application.Builder.AddConnectionString("db"));
        await application.StartAsync();

        await application.WhenAsync("printer", KnownResourceStates.FailedToStart);

        Assert.Contains("The connection string 'db' has no value. Set 'ConnectionStrings:db' in the AppHost's appsettings.json", string.Join('\n', await application.LogAsync("printer")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ReferenceEnvironmentInjectionFlags.None, "")]
    [InlineData(ReferenceEnvironmentInjectionFlags.ServiceDiscovery, "services__shop__http__0")]
    [InlineData(ReferenceEnvironmentInjectionFlags.Endpoints, "SHOP")]
    [InlineData(ReferenceEnvironmentInjectionFlags.ConnectionString, "ConnectionStrings__db")]
    public async Task ReferenceEnvironment_OnlyWhatIsWanted(ReferenceEnvironmentInjectionFlags flags, string expected)
    {
        await using var application = new TestApplication("--ConnectionStrings:db=x");
        application.AddScript("printer", Print + " || true")
            .WithReference(application.Builder.AddExternalService("shop", "http://near.example"))
            .WithReference(application.Builder.AddConnectionString("db"))
            .WithReferenceEnvironment(flags);
        await application.StartAsync();

        Assert.Equal(expected, string.Join(' ', (await application.OutputAsync("printer")).Select(line => line.Split('=')[0])));
    }
}
