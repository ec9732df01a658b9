using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Aspire.Hosting.Lifecycle;
using Microsoft.Extensions.DependencyInjection;

namespace Fluster.Tests;

/// <summary>What people see of resources and can do with them: addresses, icons, families, commands by HTTP; and who listens.</summary>
public class DisplayTests
{
    [Fact]
    public async Task Urls_AreThoseOfEndpoints_AsChanged_AndThoseThatWereAdded()
    {
        await using var application = new TestApplication();
        var parameter = application.Builder.AddParameter("place", "east");
        application.AddScript("web", "exec sleep 600")
            .WithHttpEndpoint(name: "http", isProxied: false)
            .WithHttpEndpoint(name: "admin", isProxied: false)
            .WithUrlForEndpoint("http", url => (url.DisplayText, url.Url) = ("Start", "/start"))
            .WithUrlForEndpoint("admin", url => url.DisplayLocation = UrlDisplayLocation.DetailsOnly)
            .WithUrlForEndpoint("http", endpoint => new ResourceUrlAnnotation { Url = "/docs", DisplayText = "Docs", DisplayOrder = 10 })
            .WithUrl("https://status.example", "Status")
            .WithUrl($"https://{parameter}.example");
        application.Builder.AddParameter("thing", "x").WithUrl("https://thing.example", "Thing");
        await application.StartAsync();

        var urls = (await application.WhenAsync("web", KnownResourceStates.Running)).Urls;

        var port = new Uri(urls[1].Url).Port;
        Assert.Equal(
            [$"http http://localhost:{port}/docs Docs False", $"http http://localhost:{port}/start Start False", "admin  True", " https://status.example Status False", " https://east.example  False"],
            urls.Select(url => url.Name == "admin" ? $"admin  {url.IsInternal}" : $"{url.Name} {url.Url} {url.DisplayProperties.DisplayName} {url.IsInternal}"));
        Assert.Equal(["https://thing.example"], (await application.WhenAsync("thing", KnownResourceStates.Running)).Urls.Select(url => url.Url));
    }

    [Fact]
    public async Task HttpCommand_SendsWhatItWasToldTo_AndFailsWithTheAnswer()
    {
        await using var application = new TestApplication();
        application.AddScript("web", "exec sleep 600")
            .WithHttpEndpoint(name: "http", isProxied: false)
            .WithHttpCommand("/clear", "Clear", commandName: "clear", commandOptions: new HttpCommandOptions
            {
                PrepareRequest = context =>
                {
                    context.Request.Headers.Add("X-Extra", "1");
                    return Task.CompletedTask;
                },
            })
            .WithHttpCommand("/wrong", "Wrong", endpointName: "http")
            .WithHttpCommand("/seen", "Seen", commandName: "seen", commandOptions: new HttpCommandOptions
            {
                Method = HttpMethod.Get,
                GetCommandResult = context => Task.FromResult(CommandResults.Success($"{(int)context.Response.StatusCode}")),
            });
        await application.StartAsync();
        var web = await application.WhenAsync("web", KnownResourceStates.Running);
        var port = new Uri(web.Urls.Single().Url).Port;
        await using var server = await StatusServer.StartAsync(port); // it listens in the script's stead
        var commands = application.Running.ResourceCommands;

        var cleared = await commands.ExecuteCommandAsync("web", "clear");
        Assert.True(cleared.Success, cleared.Message);
        var wrong = await commands.ExecuteCommandAsync("web", "web-http-post-/wrong");
        Assert.Equal((false, $"http://localhost:{port}/wrong answered 500."), (wrong.Success, wrong.Message));
        Assert.Equal("204", (await commands.ExecuteCommandAsync("web", "seen")).Message);
        Assert.Equal(["POST /clear 1", "POST /wrong", "GET /seen"], server.Requests);
        Assert.Equal(ResourceCommandState.Enabled, web.Commands.Single(command => command.Name == "clear").State);
        Assert.Throws<DistributedApplicationException>(() => application.AddScript("none", "").WithHttpCommand("/", "None"));
    }

    [Fact]
    public async Task Resource_ShowsItsIconItsFamilyAndWhetherItIsHidden()
    {
        await using var application = new TestApplication();
        var child = application.AddScript("child", "exit 0").WithHidden();
        application.AddScript("parent", "exit 0").WithIconName("Box", IconVariant.Regular).WithChildRelationship(child);
        await application.StartAsync();

        var parent = await application.WhenAsync("parent", KnownResourceStates.Finished);
        var hidden = await application.WhenAsync("child", KnownResourceStates.Finished);

        Assert.Equal(("Box", IconVariant.Regular, false), (parent.IconName, parent.IconVariant, parent.IsHidden));
        Assert.True(hidden.IsHidden);
        Assert.Equal(new RelationshipSnapshot("parent", "Parent"), Assert.Single(hidden.Relationships));
    }

    [Fact]
    public async Task EventingSubscriber_HearsTheStart()
    {
        await using var application = new TestApplication();
        application.AddScript("one", "exit 0");
        application.Builder.Services.AddSingleton<List<string>>();
        application.Builder.Services.TryAddEventingSubscriber<Listener>();
        application.Builder.Services.TryAddEventingSubscriber<Listener>();
        await application.StartAsync();
        await application.WhenAsync("one", KnownResourceStates.Finished);

        Assert.Equal(["start", "one"], application.Running.Services.GetRequiredService<List<string>>());
    }

    [Fact]
    public void ResourceBuilders_AreFoundByNameAndType()
    {
        var builder = DistributedApplication.CreateBuilder([]);
        builder.AddExecutable("tool", "tool", ".").WithHttpEndpoint().WithAnnotation(new ReplicaAnnotation(3));

        Assert.True(builder.TryCreateResourceBuilder<ExecutableResource>("TOOL", out var tool));
        Assert.Equal("tool", tool.Resource.Name);
        Assert.False(builder.TryCreateResourceBuilder<ProjectResource>("tool", out _));
        Assert.Contains("is not of type", Assert.Throws<InvalidOperationException>(() => builder.CreateResourceBuilder<ProjectResource>("tool")).Message, StringComparison.Ordinal);
        Assert.Contains("was not found", Assert.Throws<InvalidOperationException>(() => builder.CreateResourceBuilder<ProjectResource>("other")).Message, StringComparison.Ordinal);
        Assert.Equal(3, tool.Resource.GetReplicaCount());
        Assert.Equal("http", Assert.Single(tool.Resource.GetEndpoints()).EndpointName);
        Assert.True(tool.Resource.HasAnnotationOfType<EndpointAnnotation>());
        Assert.False(tool.Resource.TryGetUrls(out _));
        Assert.False(tool.Resource.IsExcludedFromPublish());
        Assert.True(tool.ExcludeFromManifest().Resource.IsExcludedFromPublish());
        Assert.True(builder.AddContainer("box", "library/box", "3").Resource.TryGetContainerImageName(out var image));
        Assert.Equal("library/box:3", image);
    }

    private sealed class Listener(List<string> heard) : IDistributedApplicationEventingSubscriber
    {
        public Task SubscribeAsync(IDistributedApplicationEventing eventing, DistributedApplicationExecutionContext executionContext, CancellationToken cancellationToken)
        {
            eventing.Subscribe<BeforeStartEvent>((_, _) => Add("start"));
            eventing.Subscribe<BeforeResourceStartedEvent>((@event, _) => Add(@event.Resource.Name));
            return Task.CompletedTask;
        }

        private Task Add(string what)
        {
            heard.Add(what);
            return Task.CompletedTask;
        }
    }
}
