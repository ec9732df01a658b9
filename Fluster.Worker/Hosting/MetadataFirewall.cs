using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;
using Microsoft.Extensions.Logging;

namespace Fluster.Worker;

/// <summary>
/// Keeps attempts from the metadata server of a cloud's machine: it gives the rights of the machine's service account to whoever asks. Root in root's group may ask, which is
/// the system and the worker, and the members of one group that is given to attempts whose job asks for it.
/// </summary>
/// <param name="Group">That group; 0: everybody may ask.</param>
/// <param name="Detail">For health; empty where there is nothing to say.</param>
[SupportedOSPlatform("linux")]
internal sealed partial record MetadataFirewall(uint Group, string Detail)
{
    private const string Chain = "FLUSTER-METADATA";

    /// <summary>One that answers already: iptables waits so long for another one of itself.</summary>
    private const string Patience = "10";

    private static readonly string[] s_servers = ["metadata.google.internal", "metadata", "169.254.169.254"];

    /// <summary>Closes the way. Done again, it comes to the same.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="users">Whether attempts have users of their own: else nothing tells them from the worker.</param>
    /// <param name="logger">The log.</param>
    public static MetadataFirewall Raise(WorkerOptions options, AttemptUsers users, ILogger logger)
    {
        if (!s_servers.Contains(options.MetadataHost.Split(':')[0], StringComparer.OrdinalIgnoreCase))
        {
            return new MetadataFirewall(0, ""); // none, or one that stands for it and gives no rights
        }

        var group = UserRange.Parse(options.UidRange).First;
        var problem = users.Pool is null ? users.Detail : Close("iptables", "169.254.169.254", group);
        if (problem is not null)
        {
            Log.Open(logger, problem);
            return new MetadataFirewall(0, $"; every job can ask the metadata server: {problem}");
        }

        if (Close("ip6tables", "fd20:ce::254", group) is { } missing)
        {
            Log.NoVersion6(logger, missing);
        }

        return new MetadataFirewall(group, "; jobs reach the metadata server only when they ask for it");
    }

    /// <returns>Why it does not work; null when it does.</returns>
    private static string? Close(string program, string server, uint group)
    {
        Run(program, "-N", Chain); // there already, after another start
        string[] jump = ["OUTPUT", "-d", server, "-p", "tcp", "!", "--dport", "53", "-j", Chain]; // the same address answers for names
        return Run(program, "-F", Chain)
            ?? Run(program, "-A", Chain, "-m", "owner", "--uid-owner", "0", "--gid-owner", "0", "-j", "RETURN")
            ?? Run(program, "-A", Chain, "-m", "owner", "--gid-owner", group.ToString(CultureInfo.InvariantCulture), "--suppl-groups", "-j", "RETURN")
            ?? Run(program, "-A", Chain, "-j", "REJECT")
            ?? (Run(program, ["-C", .. jump]) is null ? null : Run(program, ["-I", .. jump]));
    }

    private static string? Run(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, ["-w", Patience, .. arguments]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
            var said = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? null : $"{program} {string.Join(' ', arguments)}: {said.ReplaceLineEndings(" ").Trim()}";
        }
        catch (Win32Exception exception)
        {
            return $"{program} cannot be run: {exception.Message}";
        }
    }

    private static partial class Log
    {
        [LoggerMessage(282, LogLevel.Warning, "Every job can ask the metadata server of this machine, and act as its service account: {Problem}")]
        public static partial void Open(ILogger logger, string problem);

        [LoggerMessage(283, LogLevel.Information, "The metadata server is not closed to jobs over IPv6: {Problem}")]
        public static partial void NoVersion6(ILogger logger, string problem);
    }
}
