using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Aspire.Hosting.Running;

namespace Aspire.Hosting.Guarding;

/// <summary>
/// The guard: a process that outlives its ward, the AppHost, however that ends. It sits in a session of its own, blocked
/// on a pipe whose other end only the ward holds. When the pipe ends it kills everything that the ward had started.
/// </summary>
internal static class GuardProgram
{
    public const string Verb = "guard";
    public const string Ready = "ready";
    public const string RootLine = "root";
    public const string ContainerLine = "container";

    /// <summary>What nested guards (a worker's) get to clean up after their own wards, which die first.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(9);

    /// <summary>Arguments: <c>guard {ward's pid} {ward's start time} {mark}</c>.</summary>
    private static async Task<int> Main(string[] args)
    {
        if (args is not [Verb, var pid, var startTime, var mark])
        {
            await Console.Error.WriteLineAsync("This is the guard process of an AppHost; the AppHost starts it by itself.");
            return 2;
        }

        using var interrupt = Ignore(PosixSignal.SIGINT);
        using var terminate = Ignore(PosixSignal.SIGTERM);
        using var hangUp = Ignore(PosixSignal.SIGHUP);
        var ward = new ProcessIdentity(int.Parse(pid, CultureInfo.InvariantCulture), ulong.Parse(startTime, CultureInfo.InvariantCulture));
        return await WatchAsync(new WardSweep(mark, ward), Console.In, Console.Out) ? 0 : 1;
    }

    private static async Task<bool> WatchAsync(WardSweep sweep, TextReader ward, TextWriter answer)
    {
        var roots = new List<int>();
        var containers = new List<(string Command, string Name)>();
        await answer.WriteLineAsync(Ready);
        await answer.FlushAsync();
        while (await ward.ReadLineAsync() is { } line)
        {
            switch (line.Split(' '))
            {
                case [RootLine, var pid, var startTime]:
                    roots.Add(int.Parse(pid, CultureInfo.InvariantCulture));
                    sweep.AddRoot(new ProcessIdentity(roots[^1], ulong.Parse(startTime, CultureInfo.InvariantCulture)));
                    break;
                case [ContainerLine, var command, var name]:
                    containers.Add((command, name));
                    break;
            }
        }

        var removals = containers.ConvertAll(container => RemoveAsync(container.Command, container.Name));
        var cleared = OperatingSystem.IsLinux() ? await sweep.ClearAsync(s_patience, s_limit) : KillTrees(roots);
        await Task.WhenAll(removals);
        return cleared;
    }

    private static async Task RemoveAsync(string command, string name)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(command, ["rm", "--force", "--volumes", name])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            });
            if (process is not null)
            {
                await Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync(), process.WaitForExitAsync());
            }
        }
        catch (System.ComponentModel.Win32Exception)
        {
            // The engine's command is gone; there is nothing more to do from here.
        }
    }

    /// <summary>Without /proc there are only the roots and what the runtime finds below them.</summary>
    private static bool KillTrees(List<int> roots)
    {
        foreach (var root in roots)
        {
            try
            {
                using var process = Process.GetProcessById(root);
                process.Kill(entireProcessTree: true);
            }
            catch (Exception exception) when (exception is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
            {
                // It has ended.
            }
        }

        return true;
    }

    private static PosixSignalRegistration Ignore(PosixSignal signal) =>
        PosixSignalRegistration.Create(signal, static context => context.Cancel = true);
}
