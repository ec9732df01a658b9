using Fluster.Backends;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fluster.Tests;

/// <summary>Settings that cannot work are told before anything is made, each with its path.</summary>
public class GcpOptionsTests
{
    private const string Path = "Fluster:Controller:Backends:0";

    internal static GcpOptions Valid() => new() { Project = "my-project-1", Zones = ["us-central1-a", "us-central1-b", "europe-west4-a"] };

    [Fact]
    public void Problems_OfTheLeastSettings_AreNone() => Assert.Empty(Valid().Problems(Path));

    [Fact]
    public void Defaults_AreTheSeeds()
    {
        var options = new GcpOptions();

        Assert.Equal(("n2-standard-4", false, false), (options.MachineType, options.Spot, options.ExternalAddress));
    }

    public static TheoryData<string, string, Action<object>> Wrong() => new()
    {
        { "Project", "it is empty", options => ((GcpOptions)options).Project = "" },
        { "Project", "'My Project' is not the id of a project", options => ((GcpOptions)options).Project = "My Project" },
        { "Zones", "at least one zone", options => ((GcpOptions)options).Zones = [] },
        { "Zones:1", "'us-central1' is not a zone", options => ((GcpOptions)options).Zones = ["us-central1-a", "us-central1"] },
        { "Zones:1", "is there twice", options => ((GcpOptions)options).Zones = ["us-central1-a", "us-central1-a"] },
        { "MachineFamily", "'m9' is not one of e2, n1, n2", options => ((GcpOptions)options).MachineFamily = "m9" },
        { "MachineType", "Near names: n2-standard-4", options => ((GcpOptions)options).MachineType = "n2-standart-4" },
        { "Network", "needs a network", options => ((GcpOptions)options).Network = "" },
        { "ServiceAccount", "neither the address", options => ((GcpOptions)options).ServiceAccount = "me" },
        { "Image", "is not an image", options => ((GcpOptions)options).Image = "debian" },
        { "GpuImage", "is not an image", options => ((GcpOptions)options).GpuImage = "debian" },
        { "DiskSize", "'much' is not a size", options => ((GcpOptions)options).DiskSize = "much" },
        { "DiskSize", "10g is not from 20 GiB", options => ((GcpOptions)options).DiskSize = "10g" },
        { "Labels:Team", "is not a label", options => ((GcpOptions)options).Labels["Team"] = "x" },
        { "Labels:fluster-cluster", "are set by the backend", options => ((GcpOptions)options).Labels["fluster-cluster"] = "x" },
        { "Tags:0", "is not a network tag", options => ((GcpOptions)options).Tags = ["A_B"] },
        { "BootTimeout", "less than 10 seconds", options => ((GcpOptions)options).BootTimeout = TimeSpan.FromSeconds(1) },
        { "TpuQueueTimeout", "less than a second", options => ((GcpOptions)options).TpuQueueTimeout = TimeSpan.Zero },
        { "ComputeBaseUri", "ends with '/'", options => ((GcpOptions)options).ComputeBaseUri = new Uri("http://localhost:1/compute/v1") },
        { "TpuBaseUri", "is not an http address", options => ((GcpOptions)options).TpuBaseUri = new Uri("ftp://localhost/") },
        { "MetadataHost", "is not a host", options => ((GcpOptions)options).MetadataHost = "http://x" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void Problems_OfAWrongSetting_NameItAndSayWhy(string setting, string why, Action<object> spoil)
    {
        var options = Valid();
        spoil(options);

        var problem = Assert.Single(options.Problems(Path));

        Assert.StartsWith($"{Path}:{setting}: ", problem, StringComparison.Ordinal);
        Assert.Contains(why, problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_OfSettings_TakesAllOfThem_ListsInTheirOrder()
    {
        var settings = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
        {
            ["project"] = "my-project-1", ["Spot"] = "true", ["BootTimeout"] = "00:10:00", ["Labels:team"] = "blue", ["ComputeBaseUri"] = "http://localhost:1/compute/v1/", ["Subnetwork"] = "",
        };
        for (var index = 0; index < 11; index++)
        {
            settings[$"Zones:{index}"] = $"us-central{index + 1}-a";
        }

        var options = GcpSettings.Read(settings, Path);

        Assert.Equal(("my-project-1", true, TimeSpan.FromMinutes(10), "blue"), (options.Project, options.Spot, options.BootTimeout, options.Labels["team"]));
        Assert.Equal(Enumerable.Range(1, 11).Select(number => $"us-central{number}-a"), options.Zones);
    }

    [Theory]
    [InlineData("Zone:0", "us-central1-b", $"{Path}:Zone:0: there is no such setting. Near names: Zones")]
    [InlineData("MachineTipe", "x", $"{Path}:MachineTipe: there is no such setting. Near names: MachineType")]
    [InlineData("Zones", "us-central1-b", $"{Path}:Zones: there is no such setting.")]
    [InlineData("Spot", "maybe", $"{Path}:Spot is 'maybe': ")]
    [InlineData("BootTimeout", "soon", $"{Path}:BootTimeout is 'soon': ")]
    [InlineData("TpuBaseUri", "here", $"{Path}:TpuBaseUri is 'here': ")]
    [InlineData("MachineFamily", "m9", $"{Path}:MachineFamily: 'm9' is not one of")]
    public void Read_OfAWrongSetting_SaysWhichAndWhy(string key, string value, string expected)
    {
        var settings = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase) { ["Project"] = "my-project-1", ["Zones:0"] = "us-central1-a", [key] = value };

        Assert.StartsWith(expected, Assert.Throws<FormatException>(() => GcpSettings.Read(settings, Path)).Message, StringComparison.Ordinal);
    }

    /// <summary>As the controller makes them from its configuration.</summary>
    [Theory]
    [InlineData("gce", typeof(GceBackend), 5)]
    [InlineData("tpu", typeof(TpuBackend), 60)]
    public void Create_OfItsKind_MakesTheBackend(string kind, Type expected, int minutes)
    {
        var settings = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase) { ["Project"] = "my-project-1", ["Zones:0"] = "us-central1-a" };
        VmBackendSetup Setup() => new(kind, "mine", Path, settings) { ClusterId = "c", DataDirectory = "", Time = TimeProvider.System, Loggers = NullLoggerFactory.Instance };

        var backend = VmBackends.Create(Setup());
        settings["Zones:0"] = "here";
        var wrong = Assert.Throws<FormatException>(() => VmBackends.Create(Setup()));

        Assert.IsType(expected, backend);
        Assert.Equal(("mine", TimeSpan.FromMinutes(minutes)), (backend.Name, backend.BootTimeout));
        Assert.StartsWith($"{Path}:Zones:0: 'here' is not a zone", wrong.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("abc-1_2", "abc-1_2")]
    [InlineData("Big", null)]
    [InlineData("a.b", null)]
    [InlineData("", null)]
    public void LabelValue_IsTheText_OrAHashWhereGoogleDoesNotAllowIt(string text, string? expected)
    {
        var value = GcpLabels.ValueOf(text);

        Assert.True(GcpLabels.IsValue(value) && value.Length > 0);
        Assert.Equal(expected ?? value, value);
        Assert.Equal(value, GcpLabels.ValueOf(text));
        Assert.NotEqual(value, GcpLabels.ValueOf(text + "x"));
    }
}
