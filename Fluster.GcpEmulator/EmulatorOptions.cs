using System.Globalization;

namespace Fluster.GcpEmulator;

/// <summary>How the emulator runs, from its command line.</summary>
internal sealed record EmulatorOptions
{
    public const string Usage = """
        Fluster.GcpEmulator: Compute Engine (v1), Cloud TPU (v2) and the metadata server of their machines, for trying and testing without an account.

        Usage: Fluster.GcpEmulator [options]
          --urls URL             where it listens; default http://127.0.0.1:8085; port 0 takes a free one
          --zones Z,Z,...        the zones that there are
          --operation-ms N       how long an operation takes; default 1000
          --run DIRECTORY        really run the start-up script of every machine, as processes with everything below DIRECTORY
          --notice-ms N          between the notice of a preemption and the end; default 30000
          --network 127.N        the addresses of machines that run begin so; default 127.77. For two emulators on one computer
          --help                 this text

        Clients send any bearer token. A machine is told where its metadata server is by GCE_METADATA_HOST, and its directory by FLUSTER_VM_ROOT.

        POST /_emulator/stockout    {"zone": "Z", "shape": "", "queue": false, "clear": false}   no machines in a zone, or none of a shape; "queue": slices wait instead
        POST /_emulator/quota       {"metric": "CPUS|INSTANCES|GPUS_ALL_REGIONS|TPU_CHIPS", "where": "region or zone", "limit": 8}   -1 lifts it
        POST /_emulator/ratelimit   {"count": 2, "status": 403, "retryAfterSeconds": 0}          the next requests are too many
        POST /_emulator/fail-next   {"method": "POST", "path": "/instances", "count": 1, "mode": "status", "status": 503, "reason": "", "message": "", "code": ""}
                                    modes: status (refused), status-after (done, and answered so), drop (cut off, not done), drop-after (done, and cut off),
                                    operation (its operation fails with code), operation-leave (the same, and the machine stays)
        POST /_emulator/unreachable {"zones": ["Z"]}            lists leave these zones out and say so
        POST /_emulator/latency     {"operationMs": 5000, "requestMs": 0}
        POST /_emulator/page-size   {"most": 2}                 lists come in pages of at most so many
        POST /_emulator/refuse-token {"token": "T"}             that token no longer counts
        POST /_emulator/preempt     {"name": "N", "noticeMs": 30000}
        POST /_emulator/maintenance {"name": "N", "event": "TERMINATE_ON_HOST_MAINTENANCE"}
        POST /_emulator/reboot      {"name": "N"}               the start-up script runs again
        POST /_emulator/forget                                  the ids of earlier requests do not count any more
        POST /_emulator/finish                                  operations that are under way end now
        POST /_emulator/reset                                   everything is gone
        GET  /_emulator/console/N                               what a machine, or a host of a slice (N-w-0), wrote
        GET  /_emulator/state                                   what there is, what was ever made, and how many requests failed on purpose
        """;

    private static readonly string[] s_zones =
    [
        "asia-northeast1-a", "europe-west4-a", "europe-west4-b", "us-central1-a", "us-central1-b", "us-central1-c", "us-central1-f", "us-central2-b", "us-east1-c", "us-east1-d", "us-east5-a", "us-west1-b", "us-west4-a",
    ];

    public string Urls { get; init; } = "http://127.0.0.1:8085";

    public IReadOnlyList<string> Zones { get; init; } = s_zones;

    public TimeSpan OperationTime { get; init; } = TimeSpan.FromSeconds(1);

    public TimeSpan Notice { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>What the addresses of machines that run begin with.</summary>
    public string Network { get; init; } = "127.77";

    /// <summary>Where machines run; null when none do.</summary>
    public string? RunDirectory { get; init; }

    public bool IsHelp { get; init; }

    /// <exception cref="ArgumentException">An argument is unknown or wrong; the message says which.</exception>
    public static EmulatorOptions Parse(IReadOnlyList<string> args)
    {
        var options = new EmulatorOptions();
        for (var index = 0; index < args.Count; index++)
        {
            options = args[index] switch
            {
                "--help" or "-h" => options with { IsHelp = true },
                "--urls" => options with { Urls = Value() },
                "--zones" => options with { Zones = [.. Value().Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(Zone)] },
                "--operation-ms" => options with { OperationTime = Milliseconds() },
                "--notice-ms" => options with { Notice = Milliseconds() },
                "--network" => options with { Network = LoopbackNetwork(Value()) },
                "--run" => options with { RunDirectory = Path.GetFullPath(Value()) },
                var unknown => throw new ArgumentException($"'{unknown}' is not an option. --help lists them.", nameof(args)),
            };

            string Value() => ++index < args.Count ? args[index] : throw new ArgumentException($"{args[index - 1]} needs a value.", nameof(args));

            TimeSpan Milliseconds() => Value() is var text && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count)
                ? TimeSpan.FromMilliseconds(count)
                : throw new ArgumentException($"'{text}' is not a number of milliseconds.", nameof(args));
        }

        return options;
    }

    private static string LoopbackNetwork(string text) => text.StartsWith("127.", StringComparison.Ordinal) && byte.TryParse(text.AsSpan(4), NumberStyles.None, CultureInfo.InvariantCulture, out _)
        ? text
        : throw new ArgumentException($"'{text}' is not a network of this computer such as 127.77.", nameof(text));

    private static string Zone(string text) => GcpNames.IsZone(text) ? text : throw new ArgumentException($"'{text}' is not a zone such as us-central1-a.", nameof(text));
}
