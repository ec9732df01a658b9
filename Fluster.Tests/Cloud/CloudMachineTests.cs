using System.Net;
using System.Net.Http.Headers;
using System.Text.RegularExpressions;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>
/// Machines of Compute Engine from nothing and back to nothing: a real controller asks for them, an emulator runs them, and their workers register (seed 003, stage 10).
/// </summary>
public partial class CloudMachineTests
{
    /// <summary>All that a machine has is its start-up script: with the token in it the machine fetches the worker, and with the same token the worker comes in, once.</summary>
    [ToolFact("curl", "setsid")]
    public async Task Job_WithoutAnyMachine_GetsOneOfComputeEngine_AndNothingIsLeftAfterwards()
    {
        await using var cluster = await CloudCluster.StartAsync();
        using var directory = new TemporaryDirectory();
        var (begun, seen) = (directory.File("begun"), directory.File("seen"));

        var job = await cluster.Client.SubmitAsync(
            async () =>
            {
                await File.WriteAllTextAsync(begun, "");
                while (!File.Exists(seen))
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
                }

                return FlusterContext.Current.WorkerId.ToString();
            },
            new JobOptions { Name = "where" });
        await cluster.BecomesAsync(() => File.Exists(begun), "The job runs.");

        var vm = Assert.Single((await cluster.ListAsync()).Vms);
        var worker = vm.VmId;
        var made = Assert.Single(await cluster.MadeAsync());
        Assert.Equal(("instances", EmulatorHost.Zone, worker, "n2-standard-4"), (made.Kind, made.Zone, made.Name, made.Shape));
        var script = await ScriptAsync(cluster, worker);
        var token = TokenClaims.ReadUnchecked(Setting(script, "token"))!;
        Assert.Equal((TokenRoles.Worker, worker, null), (token.Role, token.Vm, token.Worker));
        Assert.Equal(new Uri(new Uri(cluster.Controller.HttpAddress), "/worker-package").AbsoluteUri, Setting(script, "package"));
        var root = Assert.Single(Directory.GetDirectories(cluster.Machines));
        Assert.True(File.Exists(Path.Combine(root, "opt", "fluster", $"worker-{Setting(script, "sha256")}", "Fluster.Worker.dll")));

        await File.WriteAllTextAsync(seen, "");
        await cluster.SucceedsAsync(job);
        Assert.Equal(worker, await job.ResultAsync());
        await cluster.EmptyAsync();
        Assert.Single(await cluster.MadeAsync());
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, Setting(script, "package")) { Headers = { Authorization = new AuthenticationHeaderValue("Bearer", Setting(script, "token")) } };
        using var answer = await http.SendAsync(request);
        Assert.Contains(answer.StatusCode, new[] { HttpStatusCode.Unauthorized, HttpStatusCode.Forbidden }); // the token fell with the machine
    }

    /// <summary>A zone has no machines of the shape, the next one has: nobody waits for the first.</summary>
    [ToolFact("curl", "setsid")]
    public async Task Zone_WithoutMachines_FallsThroughToTheNext()
    {
        await using var cluster = await CloudCluster.StartAsync();
        await cluster.Google.ControlAsync("stockout", new { zone = EmulatorHost.Zone });

        var job = await cluster.Client.SubmitAsync(TestCluster.Bash("true"));
        await cluster.SucceedsAsync(job);

        var made = await cluster.MadeAsync();
        Assert.Equal([EmulatorHost.Zone, EmulatorHost.OtherZone], made.Select(machine => machine.Zone));
        Assert.Equal(made[1].Name, Assert.Single((await job.GetStatusAsync()).Tasks[0].Attempts).Worker.ToString());
        var block = Assert.Single((await cluster.ListAsync()).Blocks);
        Assert.Contains("does not have enough resources", block.Message, StringComparison.Ordinal);
        await cluster.EmptyAsync();
    }

    private static async Task<string> ScriptAsync(CloudCluster cluster, string machine)
    {
        var instance = await cluster.Google.Compute().FindAsync(EmulatorHost.Zone, machine, CancellationToken.None);
        return instance!.Metadata!.Items!.Single(item => item.Key == "startup-script").Value!;
    }

    private static string Setting(string script, string name) => Settings().Matches(script).Single(match => match.Groups["name"].Value == name).Groups["value"].Value;

    [GeneratedRegex("^fluster_(?<name>[a-z0-9]+)='(?<value>.*)'$", RegexOptions.ExplicitCapture | RegexOptions.Multiline | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Settings();
}
