using System.Diagnostics;
using Fluster.Cluster;

namespace Fluster.Tests;

/// <summary>
/// Jobs and the metadata server of a cloud's machine, at its real address: in a network of its own, where a controller, a worker and that server are. The rules that the worker
/// makes are of that network and go with it.
/// </summary>
public class MetadataFirewallTests
{
    private const string Refused = "7"; // curl's exit code

    [NetworkFact]
    public async Task Job_ReachesTheMetadataServer_OnlyWhenItAsks()
    {
        using var directory = new TemporaryDirectory();
        using var key = ClusterKey.Create();
        var admin = Sign(new TokenClaims { Role = TokenRoles.Admin, Namespace = "default", ExpiresAt = 0 });
        var context = await CliProcess.WriteContextAsync(directory.Path, "http://127.0.0.1:7071", admin);
        var root = Repository.Root;
        var build = new DirectoryInfo(AppContext.BaseDirectory);
        string Dll(string project, string name = "") => Path.Combine(root, project, "bin", build.Parent!.Name, build.Name, (name.Length > 0 ? name : project) + ".dll");
        var script = $"""
            ip link set lo up; ip addr add 169.254.169.254/32 dev lo
            dotnet {Dll("Fluster.GcpEmulator")} --urls http://169.254.169.254:80 > emulator.log 2>&1 & emulator=$!
            Fluster__Controller__DataDirectory=$PWD/controller Kestrel__Endpoints__grpc__Url=http://127.0.0.1:7071 Kestrel__Endpoints__http__Url=http://127.0.0.1:7070 \
              dotnet {Dll("Fluster.Controller")} --contentRoot {Path.GetDirectoryName(Dll("Fluster.Controller"))} > controller.log 2>&1 & controller=$!
            Fluster__Worker__Id=w Fluster__Worker__Token={Sign(new TokenClaims { Role = TokenRoles.Worker, Worker = "w", ExpiresAt = 0 })} Fluster__Worker__DataDirectory=$PWD/worker \
              Fluster__Worker__ControllerAddress=http://127.0.0.1:7071 Fluster__Worker__MetadataHost=169.254.169.254 Fluster__Worker__IsolateAttempts=true \
              dotnet {Dll("Fluster.Worker")} --contentRoot {Path.GetDirectoryName(Dll("Fluster.Worker"))} > worker.log 2>&1 & worker=$!
            ask="curl --silent --output /dev/null --max-time 20 http://169.254.169.254/"
            for try in $(seq 600); do {Cli("worker list")} 2> /dev/null | grep -q ' w ' && break; {Cli("worker list")} 2> /dev/null | grep -q '^w ' && break; sleep 0.1; done
            $ask; echo "machine $?"
            {Cli("job run")} -- $ask; echo "job $?"
            {Cli("job run")} --metadata-server -- $ask; echo "asking $?"
            {Cli("job run")} -- bash -c 'sleep 0.1; id -G'
            kill $worker; wait $worker; kill $controller $emulator; wait
            """;

        var (said, problem) = await RunAsync(directory.Path, script, new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [FlusterEnvironment.ContextFile] = context,
            ["HOME"] = directory.Path,
            ["Fluster__Controller__ClusterKey"] = key.ExportPrivatePem(),
        });

        var lines = said.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line.Split(' ')[0] is "machine" or "job" or "asking").ToList();
        Assert.True(lines is ["machine 0", "job " + Refused, "asking 0"], $"{said}\n{problem}\n{await File.ReadAllTextAsync(directory.File("worker.log"))}");

        string Sign(TokenClaims claims)
        {
            var now = TimeProvider.System.GetUtcNow();
            return key.Sign(claims with { IssuedAt = now.ToUnixTimeSeconds(), ExpiresAt = now.AddHours(1).ToUnixTimeSeconds() });
        }

        static string Cli(string command) => $"dotnet {CliProcess.Program} {command}";
    }

    private static async Task<(string Said, string Problem)> RunAsync(string directory, string script, Dictionary<string, string> environment)
    {
        var start = new ProcessStartInfo("unshare", ["--net", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", script])
        {
            WorkingDirectory = directory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        try
        {
            var (said, problem) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
            await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(120));
            return (await said, await problem);
        }
        finally
        {
            process.Kill();
        }
    }

    /// <summary>A test in a network namespace with rules about the users of packets: needs root and a kernel that can. Skipped by name elsewhere.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    private sealed class NetworkFactAttribute : FactAttribute
    {
        public NetworkFactAttribute()
        {
            try
            {
                using var trial = Process.Start(new ProcessStartInfo("unshare", ["--net", "iptables", "-A", "OUTPUT", "-m", "owner", "--gid-owner", "1", "--suppl-groups", "-j", "REJECT"]) { RedirectStandardError = true })!;
                trial.WaitForExit();
                Skip = trial.ExitCode == 0 ? null : "The rules that are tested cannot be made here: that takes root, iptables and a kernel with xt_owner.";
            }
            catch (System.ComponentModel.Win32Exception)
            {
                Skip = "unshare is not on PATH.";
            }
        }
    }
}
