using System.CommandLine;
using Fluster.Backends;
using Fluster.Cluster;
using Fluster.Controller;
using Fluster.Local;

namespace Fluster.Cli;

/// <summary><c>fluster cluster up --backend …</c>: a controller in this process whose workers are on machines that backends make. Its machines go when it goes.</summary>
internal static class ClusterUpMachines
{
    /// <summary>How long machines of this computer may take to be gone.</summary>
    private static readonly TimeSpan s_patienceHere = TimeSpan.FromSeconds(60);

    /// <summary>The same for machines of a cloud, some of which are still being made.</summary>
    private static readonly TimeSpan s_patienceElsewhere = TimeSpan.FromMinutes(5);

    public static async Task<int> RunAsync(ParseResult parsed, string? backend, string? path, bool emulated, string? data)
    {
        ClusterFile file;
        try
        {
            file = Read(backend, path, emulated);
        }
        catch (ClusterFileException exception)
        {
            exception.Problems.ToList().ForEach(Output.Problem);
            return ExitCodes.Fault;
        }

        using var signals = new StopSignals();
        using var loggers = ClusterUpCommand.Loggers(signals);
        using var starting = new CancellationTokenSource();
        _ = signals.First.ContinueWith(_ => starting.CancelAsync(), TaskScheduler.Default);
        var options = new LocalClusterOptions { DataDirectory = data, Namespace = FlusterCommand.NamespaceOf(parsed) ?? Namespace.Default, LoggerFactory = loggers };
        try
        {
            await using var emulator = emulated ? await EmulatorInProcess.StartAsync(file.Backends.SelectMany(one => one.Zones).Distinct(StringComparer.Ordinal), loggers, starting.Token) : null;
            await using var cluster = await MachineCluster.StartAsync(file, emulator?.Address, options, starting.Token);
            var context = ClusterContextFile.Location;
            var (name, isCurrent) = ContextWriter.Add(context, ClusterUpCommand.Entry(cluster.ClientOptions, cluster.HttpAddress));
            try
            {
                Announce(parsed, new ClusterUpView(cluster.Address, cluster.HttpAddress, name, context, data)
                {
                    Machines = [.. file.Backends.Select(Describe)],
                    Emulator = emulator?.Address,
                }, file, isCurrent);
                await signals.First;
            }
            finally
            {
                ContextWriter.Remove(context, name); // nobody finds it any more while it ends
            }

            var patience = file.Backends.Any(one => one.IsElsewhere(emulated)) ? s_patienceElsewhere : s_patienceHere;
            Output.Note($"It stops: jobs have 5 seconds, then the machines go, within {patience.TotalSeconds:0} s. Again Ctrl+C leaves at once{(emulated ? "" : ", and leaves them there")}.");
            return Report(await cluster.ReleaseMachinesAsync(patience), file, emulated);
        }
        catch (LocalClusterException exception)
        {
            throw new CommandFailedException(exception.Message);
        }
    }

    /// <exception cref="ClusterFileException">The file is wrong, or there is none and one is needed.</exception>
    private static ClusterFile Read(string? backend, string? path, bool emulated)
    {
        ClusterFile file;
        if (path is not null)
        {
            file = ClusterFile.Read(path);
            file = backend is null ? file : file.Only(backend);
        }
        else if (backend is null)
        {
            throw new CommandFailedException("--emulator needs --backend gce or --backend tpu, or a file of settings: -f cluster.json.");
        }
        else if (backend != VmBackends.Docker && !emulated)
        {
            throw new CommandFailedException($"--backend {backend} needs the project and its zones: -f cluster.json, of which deploy/cluster.{backend}.json is an example. To try it without a cloud, add --emulator.");
        }
        else
        {
            file = ClusterFile.Of(backend);
        }

        if (emulated && !file.Backends.Any(one => one.IsGoogle))
        {
            throw new CommandFailedException("--emulator stands for Google Cloud, and no backend of kind gce or tpu is used.");
        }

        file.CheckReach(emulated);
        return file;
    }

    private static void Announce(ParseResult parsed, ClusterUpView view, ClusterFile file, bool isCurrent)
    {
        if (FlusterCommand.IsJson(parsed))
        {
            Output.Json(view, ViewJson.Default.ClusterUpView);
            return;
        }

        Output.Line("Fluster is up: a controller in this process, and machines when jobs need them.");
        Output.Pairs(
        [
            ("  http", view.HttpAddress),
            ("  gRPC", view.Address),
            ("  context", $"{view.Context}, in {view.ContextFile}"),
            ("  data", view.DataDirectory ?? "temporary (--data keeps it)"),
            .. view.Machines!.Select(machines => ("  machines", (string?)machines)),
            ("  emulator", view.Emulator is { } emulator ? $"{emulator} (the machines are processes of this computer)" : null),
        ]);
        var fluster = $"fluster {(isCurrent ? "" : $"--context {view.Context} ")}";
        var isTpu = file.Backends[0].Kind == VmBackends.Tpu;
        var slice = file.Backends[0].Get(nameof(VmBackendOptions.Accelerator)) is { Length: > 0 } named ? named : "v5litepod-4";
        Output.Line("Type next, in a second terminal:");
        Output.Line(isTpu
            ? $"  {fluster}job run --tpu {slice} -- bash -c 'echo hello from $FLUSTER_WORKER_ID of $TPU_NAME'"
            : $"  {fluster}job run -- bash -c 'echo hello from $FLUSTER_WORKER_ID'");
        Output.Line($"  {fluster}vm list");
    }

    private static string Describe(ClusterFileBackend backend)
    {
        var usual = new VmBackendOptions();
        var (min, max) = (backend.Get(nameof(VmBackendOptions.Min)) ?? $"{usual.Min}", backend.Get(nameof(VmBackendOptions.Max)) ?? $"{usual.Max}");
        var what = backend.Kind switch
        {
            VmBackends.Docker => "containers",
            VmBackends.Tpu => "slices",
            _ => $"{backend.Get(nameof(GcpOptions.MachineType)) ?? new GcpOptions().MachineType} and larger",
        };
        var where = backend.IsGoogle ? $" of {backend.Get(nameof(GcpOptions.Project))} in {string.Join(", ", backend.Zones)}" : "";
        return $"{backend.Name}: {min} to {max}, {what}{where}";
    }

    private static int Report(IReadOnlyList<LeftVm> left, ClusterFile file, bool emulated)
    {
        if (left.Count == 0)
        {
            return 0;
        }

        foreach (var vm in left)
        {
            var backend = file.Backends.First(one => one.Name == vm.Backend);
            var project = backend.Get(nameof(GcpOptions.Project));
            var removal = (backend.Kind, vm.Name) switch
            {
                _ when backend.IsGoogle && emulated => "it ends with this program",
                (VmBackends.Docker, "") => "see 'docker ps -a --filter label=fluster.cluster'",
                (VmBackends.Docker, _) => $"remove it with 'docker rm -f {vm.Name}'",
                (VmBackends.Gce, "") => $"see 'gcloud compute instances list --project {project} --filter labels.fluster-managed=true'",
                (VmBackends.Gce, _) => $"remove it with 'gcloud compute instances delete {vm.Name} --zone {vm.Zone} --project {project}'",
                (_, "") => $"see 'gcloud compute tpus queued-resources list --zone ZONE --project {project}'",
                _ => $"remove it with 'gcloud compute tpus queued-resources delete {vm.Name} --force --zone {vm.Zone} --project {project}'",
            };
            Output.Problem(vm.Name.Length > 0
                ? $"Machine {vm.Name} of {vm.Backend} may still be there: {vm.Why}; {removal}."
                : $"Machines of {vm.Backend} may still be there: {vm.Why}; {removal}.");
        }

        return ExitCodes.Fault;
    }
}
