using Fluster.Local;

namespace Fluster.Tests;

/// <summary>Files of clusters: what is wrong is told with its line, before anything is started.</summary>
public sealed class ClusterFileTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    /// <summary>One thing is wrong in each: its line, and what has to be said.</summary>
    [Theory]
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"docker\" } ],\n \"Advertise\": \"x\" }", 3, "no setting 'Advertise' here. Near names: AdvertiseHost")]
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"docker\",\n \"Imagee\": \"x\" } ] }", 3, "no setting 'Imagee' here. Near names: Image")]
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"docker\",\n \"Zones\": [\"us-central1-a\"] } ] }", 3, "no setting 'Zones' here")] // another kind's
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"docker\",\n \"Max\": \"4\" } ] }", 3, "Max is \"4\": it is a whole number, without quotes")]
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"docker\",\n \"Max\": 4.5 } ] }", 3, "Max is 4.5: it is a whole number")]
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"docker\",\n \"Containers\": \"yes\" } ] }", 3, "Containers is \"yes\": it is true or false")]
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"docker\",\n \"Idle\": 5 } ] }", 3, "Idle is 5: it is a time as hours, minutes and seconds, such as \"00:05:00\"")]
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"docker\",\n \"Idle\": \"soon\" } ] }", 3, "Idle is \"soon\": it is a time")]
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"docker\",\n \"Image\": null } ] }", 3, "Image is null: it is a text")]
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"docker\",\n \"Volumes\": \"/a:/b\" } ] }", 3, "Volumes is \"/a:/b\": it is a list of texts")]
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"docker\",\n \"Volumes\": [\n\"/a:/b\",\n\"a:b\"] } ] }", 5, "Volumes:1 is 'a:b': it is a directory of this machine and one of the container")]
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"docker\",\n \"Max\": 2,\n \"max\": 3 } ] }", 4, "'max' is there twice: first in line 3")]
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"docker\",\n \"Cpu\": 0 } ] }", 3, "Cpu is 0: a machine without a processor runs nothing")]
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"docker\",\n \"Cpu\": -1 } ] }", 3, "Cpu is '-1'")]
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"docker\",\n \"Memory\": \"0\" } ] }", 3, "Memory is 0: a machine without memory runs nothing")]
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"docker\",\n \"Memory\": \"lots\" } ] }", 3, "Memory is 'lots'")]
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"docker\",\n \"Cpu\": 3, \"MaxCpu\": 2 } ] }", 2, "which is more than it may have")]
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"docker\",\n \"Min\": 3,\n \"Max\": 2 } ] }", 4, "Max is 2: it must be at least 1, and no less than Min, which is 3")]
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"docker\",\n \"Min\": -1 } ] }", 3, "Min is -1")]
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"docker\",\n \"Accelerator\": \"a100\" } ] }", 3, "Accelerator is 'a100': machines of kind 'docker' have none")]
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"docker\" },\n{ \"Kind\": \"docker\" } ] }", 3, "Name is 'docker', and so is that of an earlier one")]
    [InlineData("{ \"Backends\": [\n{ \"Kind\":\n \"gcp\" } ] }", 2, "Kind is \"gcp\": it is one of docker, gce, tpu")]
    [InlineData("{ \"Backends\": [\n{ \"Max\": 3 } ] }", 2, "Kind is missing")]
    [InlineData("{ \"Backends\": [\n4 ] }", 2, "4 is among the Backends: each is an object")]
    [InlineData("{\n \"Backends\": [] }", 2, "there are no backends")]
    [InlineData("{\n}", 1, "there are no backends")]
    [InlineData("\n[]", 2, "a cluster is an object")]
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"gce\" \"Max\": 3 } ] }", 2, "it is not JSON")]
    [InlineData("{ \"Backends\": [\n{ \"Kind\": \"gce\" } ] ", 2, "it is not JSON")]
    [InlineData("{ \"Backends\": [ { \"Kind\": \"docker\" } ],\n \"AdvertiseHost\": \"https://here\" }", 2, "it is a name or an address")]
    [InlineData("{ \"Backends\": [ { \"Kind\": \"docker\" } ],\n \"GrpcPort\": 70000 }", 2, "it is a port, from 1 to 65535")]
    [InlineData("{ \"Backends\": [ { \"Kind\": \"docker\" } ],\n \"WorkerDirectory\": \"nowhere\" }", 2, "there is no Fluster.Worker.dll in")]
    public void Read_OneThingWrong_IsToldWithItsLine(string content, int line, string problem) => Check(content, line, problem);

    /// <summary>The same in a backend of Google Cloud that is otherwise right; the setting is in line 5.</summary>
    [Theory]
    [InlineData("gce", "\"Zones\": [\"us-central1\"]", 5, "Zones:0: 'us-central1' is not a zone such as us-central1-a")]
    [InlineData("gce", "\"Zones\": [\"us-central1-a\", \"us-central1-a\"]", 5, "is there twice")]
    [InlineData("gce", "\"Zones\": []", 5, "Zones: it is empty: at least one zone is needed")]
    [InlineData("gce", "\"Zones\": \"us-central1-a\"", 5, "Zones is \"us-central1-a\": it is a list of texts")]
    [InlineData("gce", "\"MachineType\": \"n2-standard-5\"", 5, "there is no machine type 'n2-standard-5'. Near names: n2-standard-")]
    [InlineData("gce", "\"MachineFamily\": \"n9\"", 5, "'n9' is not one of")]
    [InlineData("gce", "\"Accelerator\": \"a1000\"", 5, "there is no GPU 'a1000'. Near names: a100")]
    [InlineData("gce", "\"Accelerator\": \"a100:17\"", 5, "there is no machine with 17 of the GPU 'a100'")]
    [InlineData("gce", "\"Accelerator\": \"a100:none\"", 5, "is not a GPU and how many of them")]
    [InlineData("gce", "\"Accelerator\": \"a100\", \"Min\": 1", 5, "Machines with GPUs need a GpuImage")]
    [InlineData("gce", "\"DiskSize\": \"5g\"", 5, "DiskSize: 5g is not from 20 GiB to 64 TiB")]
    [InlineData("gce", "\"Spot\": \"true\"", 5, "Spot is \"true\": it is true or false, without quotes")]
    [InlineData("gce", "\"Labels\": { \"Team\": \"x\" }", 5, "is not a label")]
    [InlineData("gce", "\"Labels\": { \"team\": 3 }", 5, "team is 3: labels are texts")]
    [InlineData("gce", "\"BootTimeout\": \"00:00:01\"", 5, "BootTimeout: 00:00:01 is less than 10 seconds")]
    [InlineData("gce", "\"ComputeBaseUri\": \"somewhere\"", 5, "ComputeBaseUri is 'somewhere'")]
    [InlineData("tpu", "\"Accelerator\": \"v5litepod-3\"", 5, "there is no TPU slice 'v5litepod-3'. Near names: v5litepod-")]
    [InlineData("tpu", "\"Min\": 1", 5, "Min is 1: which slices are always to be there, Accelerator says")]
    [InlineData("tpu", "\"TpuQueueTimeout\": \"00:00:00\"", 5, "TpuQueueTimeout: 00:00:00 is less than a second")]
    public void Read_OneThingWrongWithGoogleCloud_IsToldWithItsLine(string kind, string setting, int line, string problem) =>
        Check($"{{ \"Backends\": [\n{{ \"Kind\": \"{kind}\", \"Project\": \"my-project\",\n{(setting.StartsWith("\"Zones", StringComparison.Ordinal) ? "" : "\"Zones\": [\"us-central1-a\"],")}\n\n{setting} }} ] }}", line, problem);

    [Fact]
    public void Read_SeveralThingsWrong_TellsAllInTheOrderOfTheLines()
    {
        var problems = Problems("{ \"Backends\": [\n{ \"Kind\": \"gce\", \"Project\": \"P!\",\n \"Zones\": [\"here\",\n \"there\"] } ] }");

        Assert.Equal([2, 3, 4], problems.Select(LineOf));
    }

    [Fact]
    public void Read_MissingFile_IsToldByItsName() =>
        Assert.Contains("nothing.json cannot be read", Assert.Throws<ClusterFileException>(() => ClusterFile.Read(_directory.File("nothing.json"))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("docker")]
    [InlineData("gce")]
    [InlineData("tpu")]
    public void Example_OfEachKind_IsRight_AndHasThatKindOnly(string kind)
    {
        var file = ClusterFile.Read(Path.Combine(Repository.Root, "deploy", $"cluster.{kind}.json"));

        Assert.Equal(kind, Assert.Single(file.Backends).Kind);
        Assert.Same(file.Backends[0], file.Only(kind).Backends[0]);
        file.CheckReach(emulated: false);
        var other = kind == "gce" ? "tpu" : "gce";
        Assert.Contains($"no backend of kind '{other}' in it, only of {kind}", Assert.Throws<ClusterFileException>(() => file.Only(other)).Message, StringComparison.Ordinal);
    }

    /// <summary>Machines of a network of their own have to be told where the controller is.</summary>
    [Theory]
    [InlineData("{ \"Backends\": [ {\n\"Kind\": \"gce\", \"Project\": \"my-project\", \"Zones\": [\"us-central1-a\"] } ] }", false, true)]
    [InlineData("{ \"Backends\": [ {\n\"Kind\": \"gce\", \"Project\": \"my-project\", \"Zones\": [\"us-central1-a\"] } ] }", true, false)]
    [InlineData("{ \"Backends\": [ {\n\"Kind\": \"docker\", \"Network\": \"blue\" } ] }", false, true)]
    [InlineData("{ \"Backends\": [ {\n\"Kind\": \"docker\", \"Network\": \"host\" } ] }", false, false)]
    public void Reach_OfMachinesElsewhere_NeedsAnAddress(string content, bool emulated, bool isRefused)
    {
        var file = ClusterFile.Read(Write(content));

        var refused = Record.Exception(() => file.CheckReach(emulated)) as ClusterFileException;

        Assert.Equal(isRefused, refused is not null);
        Assert.True(refused is null || refused.Problems[0].Contains(":1: machines of '", StringComparison.Ordinal) && refused.Problems[0].Contains("AdvertiseHost", StringComparison.Ordinal));
    }

    [Fact]
    public void Settings_OfMachinesElsewhere_ListenWithTls_AndThoseOfEmulatedOnesAskTheEmulator()
    {
        var file = ClusterFile.Read(Path.Combine(Repository.Root, "deploy", "cluster.gce.json"));

        var elsewhere = MachineSettings.Of(file, emulator: null);
        var emulated = MachineSettings.Of(file, new Uri("http://127.0.0.1:9/"));

        Assert.Equal(("https://*:7071", "https://10.128.0.2:7071", "https://10.128.0.2:7070"), (elsewhere["Kestrel:Endpoints:grpc:Url"], elsewhere["Fluster:Controller:AdvertiseAddress"], elsewhere["Fluster:Controller:AdvertiseHttpAddress"]));
        Assert.Equal(("us-central1-b", "research", null), (elsewhere["Fluster:Controller:Backends:0:Zones:1"], elsewhere["Fluster:Controller:Backends:0:Labels:team"], elsewhere.GetValueOrDefault("Fluster:Controller:Backends:0:AccessToken")));
        Assert.Equal(("http://127.0.0.1:9/compute/v1/", "http://127.0.0.1:9/"), (emulated["Fluster:Controller:Backends:0:ComputeBaseUri"], emulated["Fluster:Controller:Backends:0:TpuBaseUri"]));
        Assert.DoesNotContain("Kestrel:Endpoints:grpc:Url", emulated.Keys);
    }

    private static int LineOf(string problem) => int.Parse(problem.Split(".json:")[1].Split(':')[0], System.Globalization.CultureInfo.InvariantCulture);

    private void Check(string content, int line, string problem)
    {
        var told = Assert.Single(Problems(content));
        Assert.Contains(problem, told, StringComparison.Ordinal);
        Assert.Equal(line, LineOf(told));
    }

    private IReadOnlyList<string> Problems(string content) => Assert.Throws<ClusterFileException>(() => ClusterFile.Read(Write(content))).Problems;

    private string Write(string content)
    {
        var path = _directory.File("cluster.json");
        File.WriteAllText(path, content);
        return path;
    }
}
