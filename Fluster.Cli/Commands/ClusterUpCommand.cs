using System.CommandLine;
using Fluster.Backends;
using Fluster.Cluster;
using Fluster.Local;
using Microsoft.Extensions.Logging;

namespace Fluster.Cli;

/// <summary><c>fluster cluster up</c>: a controller and a worker in this process, for as long as it runs.</summary>
internal static class ClusterUpCommand
{
    private static readonly Option<string?> s_data = new("--data")
    {
        Description = "Where the cluster keeps what it knows, to go on with it the next time. Default: a temporary directory, gone at the end.",
        HelpName = "directory",
    };

    private static readonly Option<int> s_jobs = new("--jobs")
    {
        Description = "How many jobs run at a time. Default: 10.",
        HelpName = "number",
        DefaultValueFactory = _ => new LocalClusterOptions().MaxConcurrentJobs,
    };

    private static readonly Option<string?> s_backend = new("--backend")
    {
        Description = "Where workers come from, instead of one here: containers, or machines of Google Cloud. They are made when jobs need them, and removed at the end. Default: what the file has.",
        HelpName = "docker|gce|tpu",
    };

    private static readonly Option<string?> s_file = new("--file", "-f")
    {
        Description = "The settings of the backends, for example deploy/cluster.gce.json. Not needed for docker, nor with --emulator.",
        HelpName = "cluster.json",
    };

    private static readonly Option<bool> s_emulator = new("--emulator")
    {
        Description = "Machines of Google Cloud are processes of this computer, made by an emulator that runs as long as this. No account is needed.",
    };

    public static Command Build()
    {
        s_backend.AcceptOnlyFromAmong(VmBackends.Docker, VmBackends.Gce, VmBackends.Tpu);
        var command = new Command(
            "up",
            "Runs a controller and a worker here until Ctrl+C, and makes them the current cluster. With --backend, the workers are on machines that come and go with the jobs, for example:\n"
            + "  fluster cluster up --backend gce --emulator -f deploy/cluster.gce.json") { s_data, s_jobs, s_backend, s_file, s_emulator };
        command.SetAction(RunAsync);
        return command;
    }

    private static Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var (backend, file, emulated) = (parsed.GetValue(s_backend), parsed.GetValue(s_file), parsed.GetValue(s_emulator));
        if (backend is null && file is null && !emulated)
        {
            return RunHereAsync(parsed, cancellationToken);
        }

        return parsed.GetResult(s_jobs) is { Implicit: false }
            ? throw new CommandFailedException("--jobs is for the worker that runs here; machines of backends have MaxConcurrentJobs in their file.")
            : ClusterUpMachines.RunAsync(parsed, backend, file, emulated, parsed.GetValue(s_data));
    }

    private static async Task<int> RunHereAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        using var signals = new StopSignals();
        using var loggers = Loggers(signals);
        var @namespace = FlusterCommand.NamespaceOf(parsed) ?? Namespace.Default;
        var options = new LocalClusterOptions
        {
            DataDirectory = parsed.GetValue(s_data),
            MaxConcurrentJobs = parsed.GetValue(s_jobs),
            Namespace = @namespace,
            LoggerFactory = loggers,
        };
        try
        {
            await using var cluster = await LocalCluster.StartAsync(options, cancellationToken);
            var path = ClusterContextFile.Location;
            var (name, isCurrent) = ContextWriter.Add(path, Entry(cluster.ClientOptions, cluster.HttpAddress));
            try
            {
                Announce(parsed, cluster, options, name, isCurrent, path);
                await signals.First;
            }
            finally
            {
                ContextWriter.Remove(path, name); // nobody finds it any more while it ends
            }

            Output.Note("It stops: jobs have 5 seconds. Again Ctrl+C leaves at once.");
            return 0;
        }
        catch (LocalClusterException exception)
        {
            throw new CommandFailedException(exception.Message);
        }
    }

    /// <summary>Warnings, as long as nobody has asked to stop: that the parts lose each other is no news then.</summary>
    public static ILoggerFactory Loggers(StopSignals signals) => LoggerFactory.Create(logging => logging
        .AddFilter(level => level >= LogLevel.Warning && !signals.First.IsCompleted)
        .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace)
        .AddSimpleConsole(console => console.SingleLine = true));

    /// <summary>How others find a cluster of this process.</summary>
    public static ClusterContextEntry Entry(FlusterClientOptions client, string http) => new()
    {
        Address = client.Address,
        Http = http,
        Token = client.Token,
        ClusterKey = client.ClusterKey,
        Certificate = client.CertificateHash,
        Namespace = client.Namespace.ToString(),
    };

    private static void Announce(ParseResult parsed, LocalCluster cluster, LocalClusterOptions options, string name, bool isCurrent, string path)
    {
        if (FlusterCommand.IsJson(parsed))
        {
            Output.Json(new ClusterUpView(cluster.Address, cluster.HttpAddress, name, path, options.DataDirectory), ViewJson.Default.ClusterUpView);
            return;
        }

        Output.Line("Fluster is up: a controller and a worker in this process.");
        Output.Pairs(
            ("  http", cluster.HttpAddress),
            ("  gRPC", cluster.Address),
            ("  context", $"{name}, in {path}"),
            ("  data", options.DataDirectory ?? "temporary (--data keeps it)"));
        Output.Line("Type next, in a second terminal:");
        Output.Line($"  fluster {(isCurrent ? "" : $"--context {name} ")}job run -- bash -c 'echo hello from $FLUSTER_JOB_ID'");
        Output.Line($"  fluster {(isCurrent ? "" : $"--context {name} ")}cluster dashboard --open");
    }
}
