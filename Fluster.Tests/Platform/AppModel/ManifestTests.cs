using System.Text.Json;
using System.Text.RegularExpressions;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Fluster.Tests;

/// <summary>What an AppHost writes for azd: <c>--publisher manifest --output-path FILE</c>.</summary>
public class ManifestTests
{
    [Fact]
    public async Task AppHost_Manifest_NamesItsPartsAndNoSecret()
    {
        using var directory = new TemporaryDirectory();
        var path = directory.File("out/manifest.json");
        var (exitCode, output) = await AppHostProcess.PublishAsync("Fluster.AppHost", "--publisher", "manifest", "--output-path", path, $"--data={directory.File("data")}");
        Assert.True(exitCode == 0, output);
        Assert.Equal($"Published manifest to: {path}\n", output);

        var text = await File.ReadAllTextAsync(path);
        var resources = JsonDocument.Parse(text).RootElement.GetProperty("resources");

        Assert.Equal(
            ["controller project.v0", "fluster value.v0", "fluster-cluster-key parameter.v0", "fluster-public-key parameter.v0", "fluster-service-token parameter.v0", "registry container.v0",
                "registry-password parameter.v0", "worker-1 project.v0", "worker-1-token parameter.v0", "worker-2 project.v0", "worker-2-token parameter.v0"],
            resources.EnumerateObject().Select(resource => $"{resource.Name} {resource.Value.GetProperty("type")}").Order(StringComparer.Ordinal));
        var controller = resources.GetProperty("controller");
        Assert.EndsWith("/Fluster.Controller/Fluster.Controller.csproj", controller.GetProperty("path").GetString(), StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(Path.GetDirectoryName(path)!, controller.GetProperty("path").GetString()!)));
        Assert.Equal("{fluster-cluster-key.value}", Variable(controller, "Fluster__Controller__ClusterKey"));
        Assert.Equal("http://*:{controller.bindings.grpc.targetPort}", Variable(controller, "Kestrel__Endpoints__grpc__Url"));
        Assert.Equal("""{"scheme":"http","protocol":"tcp","transport":"http2","targetPort":8000}""", Minified(controller.GetProperty("bindings").GetProperty("grpc")));
        Assert.Equal("{worker-1-token.value}", Variable(resources.GetProperty("worker-1"), "Fluster__Worker__Token"));
        Assert.Equal("{registry.bindings.tcp.host}:{registry.bindings.tcp.port},password={registry-password.value}", resources.GetProperty("registry").GetProperty("connectionString").GetString());
        Assert.All(["fluster-cluster-key", "fluster-service-token", "worker-1-token", "registry-password"], name =>
            Assert.True(resources.GetProperty(name).GetProperty("inputs").GetProperty("value").GetProperty("secret").GetBoolean()));
        Assert.False(Directory.Exists(directory.File("data")), "It made the cluster's data.");
        Assert.DoesNotContain(Environment.MachineName, text, StringComparison.Ordinal);
        AssertReferencesResolve(resources);
    }

    [Theory]
    [InlineData("The publisher 'docker' is not known. This application model has one: '--publisher manifest --output-path FILE'.", "--publisher", "docker")]
    [InlineData("'--publisher manifest' needs '--output-path FILE', where the manifest goes.", "--publisher", "manifest")]
    [InlineData("The publisher '' is not known.", "--operation", "publish")]
    public async Task AppHost_AskedForWhatItCannotWrite_SaysWhatItCan(string message, params string[] arguments)
    {
        var (exitCode, output) = await AppHostProcess.PublishAsync("Fluster.AppHost", arguments);

        Assert.Equal(1, exitCode);
        Assert.StartsWith($"error: {message}", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Manifest_OfEachKindOfResource_IsWhatDeploymentsRead()
    {
        using var directory = new TemporaryDirectory();
        var path = directory.File("manifest.json");
        var builder = DistributedApplication.CreateBuilder(new DistributedApplicationOptions { Args = ["--publisher", "manifest", "--output-path", path], ProjectDirectory = directory.Path });
        Assert.True(builder.ExecutionContext.IsPublishMode);
        var region = builder.AddParameter("region", "west", publishValueAsDefault: true);
        builder.AddParameter("quiet", () => throw new InvalidOperationException("A manifest needs no values."), secret: true);
        var store = builder.AddContainer("store", "library/store", "2").WithEndpoint(targetPort: 99, name: "main", scheme: "tcp").WithVolume("data", "/data").WithBindMount("conf", "/conf", isReadOnly: true);
        builder.AddExecutable("tool", "tool", directory.Path, "--to", "x")
            .WithEnvironment("REGION", region)
            .WithEnvironment("STORE", ReferenceExpression.Create($"tcp://{store.GetEndpoint("main").Property(EndpointProperty.HostAndPort)}"));
        builder.AddContainer("hidden", "nobody").ExcludeFromManifest();
        builder.AddContainer("own", "nobody").WithManifestPublishingCallback(context => context.Writer.WriteString("type", "mine.v0"));

        await builder.Build().RunAsync();

        var resources = JsonDocument.Parse(await File.ReadAllTextAsync(path)).RootElement.GetProperty("resources");
        Assert.Equal("""{"type":"parameter.v0","value":"{region.inputs.value}","inputs":{"value":{"type":"string","default":{"value":"west"}}}}""", Minified(resources.GetProperty("region")));
        Assert.Equal("""{"type":"parameter.v0","value":"{quiet.inputs.value}","inputs":{"value":{"type":"string","secret":true}}}""", Minified(resources.GetProperty("quiet")));
        Assert.Equal(
            """{"type":"container.v0","image":"library/store:2","bindMounts":[{"source":"conf","target":"/conf","readOnly":true}],"volumes":[{"name":"data","target":"/data","readOnly":false}],"bindings":{"main":{"scheme":"tcp","protocol":"tcp","transport":"tcp","targetPort":99}}}""",
            Minified(resources.GetProperty("store")));
        Assert.Equal(
            """{"type":"executable.v0","workingDirectory":".","command":"tool","args":["--to","x"],"env":{"REGION":"{region.value}","STORE":"tcp://{store.bindings.main.host}:{store.bindings.main.port}"}}""",
            Minified(resources.GetProperty("tool")));
        Assert.False(resources.TryGetProperty("hidden", out _));
        Assert.Equal("""{"type":"mine.v0"}""", Minified(resources.GetProperty("own")));
        AssertReferencesResolve(resources);
    }

    private static string? Variable(JsonElement resource, string name) => resource.GetProperty("env").GetProperty(name).GetString();

    private static string Minified(JsonElement element) => JsonSerializer.Serialize(element);

    /// <summary>Every <c>{resource.path}</c> leads to something of the manifest.</summary>
    private static void AssertReferencesResolve(JsonElement resources)
    {
        var references = Regex.Matches(resources.GetRawText(), "[{](?<resource>[a-z][a-z0-9-]*)[.](?<path>[A-Za-z0-9.-]+)[}]", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(5));
        Assert.NotEmpty(references);
        Assert.All(references, reference =>
        {
            Assert.True(resources.TryGetProperty(reference.Groups["resource"].Value, out var resource), reference.Value);
            var found = reference.Groups["path"].Value.Split('.') switch
            {
                ["value"] => resource.TryGetProperty("value", out _),
                ["connectionString"] => resource.TryGetProperty("connectionString", out _),
                ["inputs", var input] => resource.GetProperty("inputs").TryGetProperty(input, out _),
                ["bindings", var binding, "host" or "port" or "url" or "targetPort" or "scheme"] => resource.GetProperty("bindings").TryGetProperty(binding, out _),
                _ => false,
            };
            Assert.True(found, reference.Value);
        });
    }
}
