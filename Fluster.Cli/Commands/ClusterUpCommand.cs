using System.CommandLine;
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

    public static Command Build()
    {
        var command = new Command("up", "Runs a controller and a worker here until Ctrl+C, and makes them the current cluster.") { s_data, s_jobs };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        using var signals = new StopSignals();
        using var loggers = LoggerFactory.Create(logging => logging
            .AddFilter(level => level >= LogLevel.Warning && !signals.First.IsCompleted) // that the two lose each other is no news then
            .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace)
            .AddSimpleConsole(console => console.SingleLine = true));
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
            var (name, isCurrent) = ContextWriter.Add(path, new ClusterContextEntry
            {
                Address = cluster.Address,
                Http = cluster.HttpAddress,
                Token = cluster.ClientOptions.Token,
                ClusterKey = cluster.ClientOptions.ClusterKey,
                Namespace = @namespace.ToString(),
            });
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
    }
}
