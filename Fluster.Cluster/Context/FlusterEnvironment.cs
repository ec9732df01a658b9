namespace Fluster.Cluster;

/// <summary>
/// The environment variables of a job's process. The only place in Fluster that reads or writes <c>FLUSTER_*</c>.
/// What a worker sets here wins over what the user set.
/// </summary>
public static class FlusterEnvironment
{
    /// <summary>The id of the job.</summary>
    public const string JobId = "FLUSTER_JOB_ID";

    /// <summary>The namespace of the job.</summary>
    public const string Namespace = "FLUSTER_NAMESPACE";

    /// <summary>Which of the job's tasks this is, from 0.</summary>
    public const string TaskIndex = "FLUSTER_TASK_INDEX";

    /// <summary>How many tasks the job has.</summary>
    public const string TaskCount = "FLUSTER_TASK_COUNT";

    /// <summary>The number of this placement.</summary>
    public const string Fence = "FLUSTER_FENCE";

    /// <summary>The worker that runs it.</summary>
    public const string WorkerId = "FLUSTER_WORKER_ID";

    /// <summary>The address of the controller.</summary>
    public const string ControllerAddress = "FLUSTER_CONTROLLER_ADDRESS";

    /// <summary>An older name of <see cref="ControllerAddress"/>, read when that one is absent.</summary>
    public const string ClusterAddress = "FLUSTER_CLUSTER_ADDRESS";

    /// <summary>Before a port's name in upper case, other characters as '_'.</summary>
    public const string PortPrefix = "FLUSTER_PORT_";

    /// <summary>The address that the job's servers listen on.</summary>
    public const string BindHost = "FLUSTER_BIND_HOST";

    /// <summary>The address under which other machines reach the job's servers.</summary>
    public const string AdvertiseHost = "FLUSTER_ADVERTISE_HOST";

    /// <summary>The job's token. Secret.</summary>
    public const string Token = "FLUSTER_TOKEN";

    /// <summary>The cluster's public key, PEM.</summary>
    public const string ClusterKey = "FLUSTER_CLUSTER_KEY";

    /// <summary>The file that says when the job is preempted. It is not there before, and never for jobs in containers of their own.</summary>
    public const string PreemptionFile = "FLUSTER_PREEMPTION_FILE";

    /// <summary>The directory in which the job's processes leave their spans for the worker.</summary>
    internal const string SpanDirectory = "FLUSTER_SPAN_DIRECTORY";

    /// <summary>When the worker launched the program, in microseconds since 1970.</summary>
    internal const string LaunchedAt = "FLUSTER_LAUNCHED_AT";

    /// <summary>"1": a .NET job waits for a debugger before it runs user code.</summary>
    public const string WaitForDebugger = "FLUSTER_WAIT_FOR_DEBUGGER";

    /// <summary>Where the command line and clients find the known clusters; by default <c>~/.fluster/context.json</c>.</summary>
    public const string ContextFile = "FLUSTER_CONTEXT_FILE";

    /// <summary>The trace that a job is part of (W3C).</summary>
    public const string TraceParent = "TRACEPARENT";

    /// <summary>What tracing systems add to <see cref="TraceParent"/> (W3C).</summary>
    public const string TraceState = "TRACESTATE";

    /// <summary>What travels along with the trace (W3C).</summary>
    public const string Baggage = "BAGGAGE";

    /// <summary>Begins the names of all of them but the three of W3C.</summary>
    private const string Prefix = "FLUSTER_";

    /// <summary>Marks every process of one attempt, so that all of them can be found again.</summary>
    internal const string AttemptMarker = "FLUSTER_ATTEMPT";

    /// <summary>Where the start-up script of a machine that is not a real one puts everything, in place of <c>/</c>.</summary>
    internal const string VmRoot = "FLUSTER_VM_ROOT";

    /// <summary>The value of a variable of this process; null when it is not set or empty.</summary>
    public static string? Get(string name)
    {
#pragma warning disable RS0030 // The one place that may.
        var value = Environment.GetEnvironmentVariable(name);
#pragma warning restore RS0030
        return string.IsNullOrEmpty(value) ? null : value;
    }

    /// <summary>The variables of this process that carry ports.</summary>
    internal static IEnumerable<KeyValuePair<string, string>> PortVariables() =>
        Environment.GetEnvironmentVariables()
            .Cast<System.Collections.DictionaryEntry>()
            .Where(variable => ((string)variable.Key).StartsWith(PortPrefix, StringComparison.Ordinal))
            .Select(variable => KeyValuePair.Create((string)variable.Key, (string?)variable.Value ?? ""));

    /// <summary>The variables of this process without those by which Fluster says which job it is and which cluster it belongs to.</summary>
    internal static Dictionary<string, string> WithoutJob() =>
        Environment.GetEnvironmentVariables()
            .Cast<System.Collections.DictionaryEntry>()
            .Where(variable => !((string)variable.Key).StartsWith(Prefix, StringComparison.Ordinal) || (string)variable.Key == ContextFile)
            .Where(variable => (string)variable.Key is not (TraceParent or TraceState or Baggage))
            .ToDictionary(variable => (string)variable.Key, variable => (string?)variable.Value ?? "", StringComparer.Ordinal);

    /// <summary>The variable that carries a port: <c>FLUSTER_PORT_METRICS_HTTP</c> for <c>metrics-http</c>.</summary>
    public static string PortVariable(string portName) =>
        PortPrefix + string.Concat(portName.ToUpperInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
}
