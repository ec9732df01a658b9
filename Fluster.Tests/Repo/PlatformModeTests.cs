using System.Diagnostics;
using System.Text.Json;

namespace Fluster.Tests;

/// <summary>The other platform: with -p:FlusterPlatform=nuget a project names the packages that platform/ stands in for.</summary>
public class PlatformModeTests
{
    // Ours either way: Connect, and the limits and channels.
    private static readonly string[] s_ours = ["Grpc.Channels", "Grpc.Services"];

    [Theory]
    [InlineData("Fluster.Cluster", "Grpc.Core.Api", "Grpc.Net.Client")]
    [InlineData("Fluster.Controller", "Grpc.Core.Api", "Grpc.AspNetCore", "Grpc.AspNetCore.HealthChecks", "Grpc.AspNetCore.Server.Reflection")]
    public void Nuget_GrpcProject_NamesThePackages(string project, params string[] packages)
    {
        var (referenced, projects) = References(project, "nuget");

        Assert.Empty(packages.Except(referenced));
        Assert.DoesNotContain("Grpc.AspNetCore.Server", referenced);
        Assert.Empty(projects.Where(path => path.Contains("/platform/", StringComparison.Ordinal)).Select(Path.GetFileNameWithoutExtension).Except(s_ours));
    }

    [Fact]
    public void Inbox_GrpcProject_NamesWhatStandsInForThem()
    {
        var (referenced, projects) = References("Fluster.Controller", "inbox");

        Assert.Contains("Grpc.AspNetCore.Server", referenced);
        Assert.DoesNotContain("Grpc.AspNetCore", referenced);
        Assert.Contains("Grpc.Core.Api", projects.Select(Path.GetFileNameWithoutExtension));
    }

    private static (string[] Packages, string[] Projects) References(string project, string platform)
    {
        string[] args = ["msbuild", $"{project}/{project}.csproj", "-nologo", $"-p:FlusterPlatform={platform}", "-getItem:PackageReference", "-getItem:ProjectReference"];
        using var dotnet = Process.Start(new ProcessStartInfo("dotnet", args) { WorkingDirectory = Repository.Root, RedirectStandardOutput = true })!;
        var output = dotnet.StandardOutput.ReadToEnd();
        dotnet.WaitForExit();
        Assert.Equal(0, dotnet.ExitCode);
        var items = JsonDocument.Parse(output).RootElement.GetProperty("Items");
        return (Names("PackageReference", "Identity"), Names("ProjectReference", "FullPath"));

        string[] Names(string item, string property) => [.. items.GetProperty(item).EnumerateArray().Select(element => element.GetProperty(property).GetString()!)];
    }
}
