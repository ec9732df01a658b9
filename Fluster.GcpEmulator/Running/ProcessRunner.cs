using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Fluster.Cluster;
using Microsoft.Extensions.Logging;

namespace Fluster.GcpEmulator;

/// <summary>
/// Runs machines as processes of this computer. A machine is a directory, and a process group that its start-up script leads; whatever runs with the machine's directory in its environment
/// belongs to it, and is killed with it. A shell that waits for the end of this program kills the group should that end come unannounced.
/// </summary>
internal sealed partial class ProcessRunner(string directory, TimeProvider time, ILogger<ProcessRunner> logger) : IMachineRunner
{
    private const int Terminate = 15;
    private const int Kill = 9;

    private const string MetadataVariable = "GCE_METADATA_HOST";

    /// <summary>What a machine has between the signal and the power going off.</summary>
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(2);

    /// <summary>What guards of killed workers have to clean up after them.</summary>
    private static readonly TimeSpan s_afterwards = TimeSpan.FromSeconds(8);

    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(50);

    private readonly Lock _gate = new();
    private readonly Dictionary<EmulatedMachine, RunningMachine> _running = [];
    private readonly HashSet<Task> _ending = [];

    public bool Runs => true;

    public Func<EmulatedMachine, string> MetadataHost { get; set; } = _ => "";

    public void Start(EmulatedMachine machine)
    {
        lock (_gate)
        {
            var root = Path.Combine(directory, $"{machine.Host}-{machine.Id[^6..]}");
            Directory.CreateDirectory(root);
            _running[machine] = Launch(machine, root, new StringBuilder());
        }
    }

    public void Restart(EmulatedMachine machine)
    {
        lock (_gate)
        {
            if (_running.Remove(machine, out var old))
            {
                old.EndGuard();
                End(Task.Run(async () =>
                {
                    await EndAsync(old, s_grace);
                    lock (_gate)
                    {
                        if (!machine.IsGone)
                        {
                            _running[machine] = Launch(machine, old.Root, old.Console);
                        }
                    }
                }));
            }
        }
    }

    public void Stop(EmulatedMachine machine)
    {
        lock (_gate)
        {
            if (_running.Remove(machine, out var old))
            {
                old.EndGuard();
                End(Task.Run(async () =>
                {
                    await EndAsync(old, s_grace);
                    Remove(old.Root);
                }));
            }
        }
    }

    public string Console(EmulatedMachine machine)
    {
        lock (_gate)
        {
            if (!_running.TryGetValue(machine, out var running))
            {
                return "";
            }

            lock (running.Console)
            {
                return running.Console.ToString();
            }
        }
    }

    /// <summary>Waits until everything that is ending has ended.</summary>
    public async Task EndAsync()
    {
        Task[] ending;
        do
        {
            lock (_gate)
            {
                ending = [.. _ending];
            }

            await Task.WhenAll(ending);
        }
        while (ending.Length > 0);
    }

    private RunningMachine Launch(EmulatedMachine machine, string root, StringBuilder console)
    {
        var script = Path.Combine(root, "startup-script");
        File.WriteAllText(script, machine.Script);
        var start = new ProcessStartInfo("setsid", ["bash", script])
        {
            WorkingDirectory = root,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("Fluster", StringComparison.OrdinalIgnoreCase) || name is "ASPNETCORE_URLS" or "DOTNET_STARTUP_HOOKS").ToList())
        {
            start.Environment.Remove(name); // a machine knows nothing of the computer that it runs on
        }

        start.Environment[FlusterEnvironment.VmRoot] = root;
        start.Environment[MetadataVariable] = MetadataHost(machine);
        start.Environment["HOME"] = root;
        var process = Process.Start(start) ?? throw new InvalidOperationException("The start-up script did not start.");
        process.OutputDataReceived += (_, line) => Keep(console, line.Data);
        process.ErrorDataReceived += (_, line) => Keep(console, line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        var guard = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", $"read line; kill -9 -{process.Id}"]) { RedirectStandardInput = true })!;
        Log.Started(logger, machine.Host, process.Id, root);
        return new RunningMachine(process, guard, root, console);
    }

    private static void Keep(StringBuilder console, string? line)
    {
        if (line is not null)
        {
            lock (console)
            {
                console.AppendLine(line);
            }
        }
    }

    private void End(Task task)
    {
        _ending.Add(task);
        _ = task.ContinueWith(ended =>
        {
            lock (_gate)
            {
                _ending.Remove(ended);
            }
        }, TaskScheduler.Default);
    }

    /// <summary>As a machine that is switched off: a signal, a moment, the end of its group, and of whatever else is found to be its own.</summary>
    private async Task EndAsync(RunningMachine machine, TimeSpan grace)
    {
        var group = machine.Process.Id;
        _ = kill(-group, Terminate);
        await UntilAsync(() => machine.Process.HasExited, grace);
        _ = kill(-group, Kill);

        // What a worker leaves is killed by its guard; whatever that one does not know of goes afterwards.
        await UntilAsync(() => Of(machine.Root).Count == 0, s_afterwards);
        foreach (var process in Of(machine.Root))
        {
            _ = kill(process, Kill);
        }

        machine.Process.Dispose();
        Log.Ended(logger, group, machine.Root);
    }

    private async Task UntilAsync(Func<bool> condition, TimeSpan patience)
    {
        var start = time.GetTimestamp();
        while (!condition() && time.GetElapsedTime(start) < patience)
        {
            await Task.Delay(s_interval, time);
        }
    }

    /// <summary>The processes with a machine's directory in their environment.</summary>
    private static List<int> Of(string root)
    {
        var found = new List<int>();
        foreach (var entry in Directory.EnumerateDirectories("/proc"))
        {
            try
            {
                if (int.TryParse(Path.GetFileName(entry), out var id) && File.ReadAllText(Path.Combine(entry, "environ")).Split('\0').Any(variable => variable == $"{FlusterEnvironment.VmRoot}={root}" || variable == $"HOME={root}"))
                {
                    found.Add(id);
                }
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // It has ended.
            }
        }

        return found;
    }

    private static void Remove(string root)
    {
        try
        {
            Directory.Delete(root, recursive: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Somebody still writes there; it is a temporary directory.
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int kill(int pid, int signal);

    /// <param name="Process">The script, which leads the group.</param>
    /// <param name="Guard">Kills the group when this program is no more.</param>
    /// <param name="Root">The machine's directory.</param>
    /// <param name="Console">What it wrote.</param>
    private sealed record RunningMachine(Process Process, Process Guard, string Root, StringBuilder Console)
    {
        /// <summary>From here on the group is ended as it should be.</summary>
        public void EndGuard()
        {
            Guard.Kill();
            Guard.Dispose();
        }
    }

    private static partial class Log
    {
        [LoggerMessage(550, LogLevel.Information, "Machine {Host} runs as process group {Group} in {Root}.")]
        public static partial void Started(ILogger logger, string host, int group, string root);

        [LoggerMessage(551, LogLevel.Information, "Process group {Group} in {Root} has ended.")]
        public static partial void Ended(ILogger logger, int group, string root);
    }
}
