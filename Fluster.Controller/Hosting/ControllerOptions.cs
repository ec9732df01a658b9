using Microsoft.Extensions.Options;

namespace Fluster.Controller;

/// <summary>The controller's settings, section <c>Fluster:Controller</c>.</summary>
internal sealed class ControllerOptions
{
    public const string Section = "Fluster:Controller";

    /// <summary>Where everything is kept: state, logs, blobs, the key. One controller at a time. Default: <c>.fluster/controller</c>.</summary>
    public string DataDirectory { get; set; } = Path.Combine(".fluster", "controller");

    /// <summary>The cluster's private key, PEM. Default: one that is made at the first start and kept in the data directory.</summary>
    public string? ClusterKey { get; set; }

    /// <summary>
    /// Lets others than this machine reach the controller without TLS: for networks that encrypt by themselves. Default: false, and then an
    /// endpoint that is not on the loopback needs https.
    /// </summary>
    public bool AllowPlainHttp { get; set; }

    /// <summary>Whether live jobs are killed, with the reason "shutdown", when the controller is asked to stop. Default: they go on.</summary>
    public bool KillJobsOnShutdown { get; set; }

    /// <summary>
    /// How long a controller that is asked to stop takes to see all machines of its backends gone, after it killed the jobs. What is there then
    /// is named in its log. Default: 0, and machines stay for the next start.
    /// </summary>
    public TimeSpan ReleaseMachinesOnShutdown { get; set; }

    /// <summary>Room on the disk below which there are no new jobs and blobs, as a size. 0: all of it may be used. Default: 1g (and 5 % of the disk).</summary>
    public string DiskReserve { get; set; } = "1g";

    /// <summary>Whether jobs may take the room of jobs of a lower priority, which are then tried again. Default: they wait.</summary>
    public bool Preemption { get; set; }

    /// <summary>Seconds of silence after which a worker gets no new work. Default: 15.</summary>
    public int WorkerSuspectSeconds { get; set; } = 15;

    /// <summary>Seconds of silence after which a worker's attempts are given up. Default: 60.</summary>
    public int WorkerLostSeconds { get; set; } = 60;

    /// <summary>Seconds after the loss of a registration's stream at which its endpoints vanish. Default: 15.</summary>
    public int RegistrationLostSeconds { get; set; } = 15;

    /// <summary>Calls a second that all tokens of the role admin may make together, and those of the role service for each namespace; 0: no limit. Default: 50,000.</summary>
    public int CallsPerSecond { get; set; } = 50_000;

    /// <summary>Calls a second that each job, with all its attempts, and each worker may make; 0: no limit. Default: 2,000.</summary>
    public int JobCallsPerSecond { get; set; } = 2_000;

    /// <summary>Calls a second with tokens that are none that one address may make before its tokens are not looked at; 0: no limit. Default: 1,000.</summary>
    public int FailedCallsPerSecond { get; set; } = 1_000;

    /// <summary>How long the token of a worker lasts. It is renewed over the worker's link in half that time. Default: 30 days.</summary>
    public TimeSpan WorkerTokenLifetime { get; set; } = TimeSpan.FromDays(30);

    /// <summary>The address under which machines of backends reach this controller's gRPC endpoint, for example <c>https://10.0.0.2:8443</c>. Default: where it listens.</summary>
    public string AdvertiseAddress { get; set; } = "";

    /// <summary>The address under which they reach its pages, where they fetch the worker program, for example <c>https://10.0.0.2:8080</c>. Default: where it listens.</summary>
    public string AdvertiseHttpAddress { get; set; } = "";

    /// <summary>The directory that the worker was published to (<c>dotnet publish Fluster.Worker</c>), for machines that have none: they fetch it from this controller. Default: none.</summary>
    public string WorkerDirectory { get; set; } = "";

    /// <summary>How long a worker on a machine of a backend goes on without a controller before it ends its attempts and itself. Default: 30 minutes.</summary>
    public TimeSpan VmOrphanTimeout { get; set; } = TimeSpan.FromMinutes(30);

    /// <summary>How often backends are asked what became of machines that boot or are silent; of the others, a fourth as often. Default: 30 seconds.</summary>
    public TimeSpan VmWatchInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Where machines come from, in the order in which they are asked. Default: none, workers are started by somebody.</summary>
    public IList<VmBackendOptions> Backends { get; set; } = [];
}

/// <summary>Says what is wrong with a setting and where it is.</summary>
internal sealed class ControllerOptionsRules : IValidateOptions<ControllerOptions>
{
    private static readonly TimeSpan s_shortestWorkerToken = TimeSpan.FromSeconds(2);

    public ValidateOptionsResult Validate(string? name, ControllerOptions options)
    {
        var problems = new List<string>();
        if (string.IsNullOrWhiteSpace(options.DataDirectory))
        {
            problems.Add($"{ControllerOptions.Section}:DataDirectory is empty: it names the directory in which the controller keeps its state.");
        }

        if (!ByteSize.TryParse(options.DiskReserve, out _))
        {
            problems.Add($"{ControllerOptions.Section}:DiskReserve is '{options.DiskReserve}': it is a size, such as 1g or 500m.");
        }

        if (options.WorkerSuspectSeconds < 1)
        {
            problems.Add($"{ControllerOptions.Section}:WorkerSuspectSeconds is {options.WorkerSuspectSeconds}: it must be at least 1.");
        }

        if (options.WorkerLostSeconds <= options.WorkerSuspectSeconds)
        {
            problems.Add($"{ControllerOptions.Section}:WorkerLostSeconds is {options.WorkerLostSeconds}: it must be more than WorkerSuspectSeconds, which is {options.WorkerSuspectSeconds}.");
        }

        if (options.RegistrationLostSeconds < 1)
        {
            problems.Add($"{ControllerOptions.Section}:RegistrationLostSeconds is {options.RegistrationLostSeconds}: it must be at least 1.");
        }

        foreach (var (limit, setting) in ((int, string)[])[
            (options.CallsPerSecond, nameof(options.CallsPerSecond)), (options.JobCallsPerSecond, nameof(options.JobCallsPerSecond)), (options.FailedCallsPerSecond, nameof(options.FailedCallsPerSecond))])
        {
            if (limit < 0)
            {
                problems.Add($"{ControllerOptions.Section}:{setting} is {limit}: it is a number of calls, or 0 for no limit.");
            }
        }

        if (options.WorkerTokenLifetime < s_shortestWorkerToken)
        {
            problems.Add($"{ControllerOptions.Section}:WorkerTokenLifetime is {options.WorkerTokenLifetime}: it must be at least {s_shortestWorkerToken}.");
        }

        if (options.ReleaseMachinesOnShutdown < TimeSpan.Zero)
        {
            problems.Add($"{ControllerOptions.Section}:ReleaseMachinesOnShutdown is {options.ReleaseMachinesOnShutdown}: it is a time, or 0 for machines that stay.");
        }

        problems.AddRange(VmBackendOptions.ProblemsOf([.. options.Backends]));
        if (options.VmOrphanTimeout <= TimeSpan.Zero)
        {
            problems.Add($"{ControllerOptions.Section}:VmOrphanTimeout is {options.VmOrphanTimeout}: it must be more than nothing.");
        }

        if (options.VmWatchInterval <= TimeSpan.Zero)
        {
            problems.Add($"{ControllerOptions.Section}:VmWatchInterval is {options.VmWatchInterval}: it must be more than nothing.");
        }

        if (options.AdvertiseAddress.Length > 0 && !Uri.IsWellFormedUriString(options.AdvertiseAddress, UriKind.Absolute))
        {
            problems.Add($"{ControllerOptions.Section}:AdvertiseAddress is '{options.AdvertiseAddress}': it is a URL, such as https://10.0.0.2:7071.");
        }

        if (options.AdvertiseHttpAddress.Length > 0 && !Uri.IsWellFormedUriString(options.AdvertiseHttpAddress, UriKind.Absolute))
        {
            problems.Add($"{ControllerOptions.Section}:AdvertiseHttpAddress is '{options.AdvertiseHttpAddress}': it is a URL, such as https://10.0.0.2:7070.");
        }

        if (options.WorkerDirectory.Length > 0 && !File.Exists(Path.Combine(options.WorkerDirectory, "Fluster.Worker.dll")))
        {
            problems.Add($"{ControllerOptions.Section}:WorkerDirectory is '{options.WorkerDirectory}', and there is no Fluster.Worker.dll in it: publish the worker there.");
        }

        if (!string.IsNullOrEmpty(options.ClusterKey))
        {
            try
            {
                using var key = Cluster.ClusterKey.Parse(options.ClusterKey);
            }
            catch (FormatException exception)
            {
                problems.Add($"{ControllerOptions.Section}:ClusterKey: {exception.Message}");
            }
        }

        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }
}
