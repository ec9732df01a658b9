using Fluster.Backends;
using Fluster.Controller;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fluster.Tests;

/// <summary>Settings of backends that are wrong are named with their path before anything is started.</summary>
public class VmBackendOptionsTests
{
    [Theory]
    [InlineData("", 0, 10, "Fluster:Controller:Backends:0:Kind is '': it is one of local, docker, gce, tpu.")]
    [InlineData("Local", 0, 10, "Fluster:Controller:Backends:0:Kind is 'Local'")]
    [InlineData("local", -1, 10, "Fluster:Controller:Backends:0:Min is -1")]
    [InlineData("local", 3, 2, "Fluster:Controller:Backends:0:Max is 2: it must be at least 1, and no less than Min, which is 3.")]
    [InlineData("local", 0, 0, "Fluster:Controller:Backends:0:Max is 0")]
    public void Setting_ThatIsWrong_IsNamed(string kind, int min, int max, string problem) =>
        Assert.StartsWith(problem, Assert.Single(VmBackendOptions.ProblemsOf([new VmBackendOptions { Kind = kind, Min = min, Max = max }])), StringComparison.Ordinal);

    [Fact]
    public void TwoBackendsOfOneName_AreRefused() => Assert.Equal(
        ["Fluster:Controller:Backends:1:Name is 'local', and so is that of an earlier one: give it another Name."],
        VmBackendOptions.ProblemsOf([new VmBackendOptions { Kind = "local" }, new VmBackendOptions { Kind = "local" }, new VmBackendOptions { Kind = "local", Name = "other" }]));

    [Theory]
    [InlineData("Cpus", "4", "Fluster:Controller:Backends:0:Cpus: a backend of kind 'local' has no such setting. It has Cpu, Memory, Disk, WorkerPath, BootTimeout.")]
    [InlineData("Memory", "much", "Fluster:Controller:Backends:0:Memory is 'much': ")]
    [InlineData("WorkerPath", "/nowhere.dll", "Fluster:Controller:Backends:0:WorkerPath: there is no worker program '/nowhere.dll'.")]
    public void SettingOfItsKind_ThatIsWrong_IsNamed(string key, string value, string problem)
    {
        using var directory = new TemporaryDirectory();
        var worker = directory.File("Fluster.Worker.dll");
        File.WriteAllText(worker, "");
        var settings = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase) { ["WorkerPath"] = worker, [key] = value };

        var exception = Assert.Throws<FormatException>(() => VmBackends.Create(new VmBackendSetup("local", "local", "Fluster:Controller:Backends:0", settings)
        {
            ClusterId = "c",
            DataDirectory = directory.Path,
            Time = TimeProvider.System,
            Loggers = NullLoggerFactory.Instance,
        }));

        Assert.StartsWith(problem, exception.Message, StringComparison.Ordinal);
    }
}
