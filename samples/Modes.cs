using System.Runtime.InteropServices;
using Fluster.Cluster;

namespace Samples;

/// <summary>Runs a sample in this process, on the cluster that runs, or on both. The sample cannot tell the difference.</summary>
internal static class Modes
{
    public static async Task<int> RunAsync(string[] args, Func<IClusterController, CancellationToken, Task> sample)
    {
        if (args is not ([] or ["--mode", "actors" or "jobs" or "all"]))
        {
            Console.Error.WriteLine($"Not understood: {string.Join(' ', args)}\nusage: dotnet run --project samples/{AppDomain.CurrentDomain.FriendlyName} -- [--mode actors|jobs|all]");
            return 2;
        }

        // Samples end their jobs in a finally block: the first signal gives it the time to run, a second one ends the program at once.
        using var interrupted = new CancellationTokenSource();
        using var ctrlC = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
        using var termination = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
        var mode = args is [_, var given] ? given : "all";
        try
        {
            if (mode is "actors" or "all")
            {
                Console.WriteLine("In this process:");
                await using var local = new LocalClient();
                await sample(local, interrupted.Token);
            }

            if (mode is "jobs" or "all")
            {
                await using var cluster = FlusterClient.FromEnvironment();
                Console.WriteLine($"On the cluster at {cluster.Address}:");
                await sample(cluster, interrupted.Token);
            }

            return 0;
        }
        catch (Exception exception) when (exception is ClusterException or JobFailedException or InvalidOperationException or TimeoutException or OperationCanceledException)
        {
            Console.Error.WriteLine(exception is OperationCanceledException ? "Interrupted." : exception.Message);
            return 1;
        }

        void Interrupt(PosixSignalContext signal)
        {
            signal.Cancel = !interrupted.IsCancellationRequested;
            interrupted.Cancel();
        }
    }
}
