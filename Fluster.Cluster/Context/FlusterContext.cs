namespace Fluster.Cluster;

/// <summary>
/// Where the calling code runs: which job, which task of it, with which ports, in which cluster. Flows into tasks, threads and timers by
/// itself; where work crosses a channel or a queue, <see cref="Enter"/> it again on the other side.
/// </summary>
public sealed record FlusterContext
{
    private static readonly AsyncLocal<FlusterContext?> s_current = new();

    private Lazy<IClusterController?> _controller = new((IClusterController?)null);
    private Lazy<CancellationToken> _stopping = new(CancellationToken.None);
    private Func<PreemptionNotice?> _preemption = static () => null;

    /// <summary>The context of the calling code.</summary>
    /// <exception cref="InvalidOperationException">The caller is not running inside a job.</exception>
    public static FlusterContext Current => CurrentOrNull ?? throw new InvalidOperationException(
        "There is no current FlusterContext: this code is not running inside a Fluster job. " +
        "Submit it through a cluster client, or wrap it in 'using (context.Enter())'.");

    /// <summary>The context of the calling code; null when it is not running inside a job.</summary>
    public static FlusterContext? CurrentOrNull => s_current.Value ?? JobProcess.Context;

    /// <summary>The namespace of the job. Jobs that it submits and names that it looks up are in it.</summary>
    public required Namespace Namespace { get; init; }

    /// <summary>The job.</summary>
    public required JobId JobId { get; init; }

    /// <summary>Which of the job's tasks this is, from 0.</summary>
    public int TaskIndex { get; init; }

    /// <summary>How many tasks the job has. Default: 1.</summary>
    public int TaskCount { get; init; } = 1;

    /// <summary>The number of this placement; a later attempt at the same task has a higher one.</summary>
    public Fence Fence { get; init; }

    /// <summary>The worker that runs it; null where there is none.</summary>
    public WorkerId? WorkerId { get; init; }

    /// <summary>The ports that the task was given, by name.</summary>
    public IReadOnlyDictionary<string, int> Ports { get; init; } = new Dictionary<string, int>(StringComparer.Ordinal);

    /// <summary>The cluster that runs the job; null where there is none. In a job's process it is connected on first use.</summary>
    public IClusterController? Controller
    {
        get => _controller.Value;
        init => _controller = new(value);
    }

    /// <summary>
    /// Cancelled when the task is to end: it was terminated, preempted or its worker shuts down. It then has 5 seconds before it is killed.
    /// In a job's process the first use of this property takes over SIGTERM, which otherwise ends the process at once.
    /// </summary>
    public CancellationToken Stopping
    {
        get => _stopping.Value;
        init => _stopping = new(value);
    }

    /// <summary>
    /// Why <see cref="Stopping"/> was cancelled, when it is that the task is preempted, and how much time is left; null otherwise, and before. A preempted task runs again elsewhere,
    /// as often as <see cref="JobRequest.MaxPreemptionRetries"/> says.
    /// </summary>
    public PreemptionNotice? Preemption => _preemption();

    /// <summary>The context that the environment of this process describes; null when the process was not started as a job.</summary>
    /// <exception cref="FormatException">It was, but a variable cannot be read; the message names it.</exception>
    public static FlusterContext? FromEnvironment() => JobProcess.Read(FlusterEnvironment.Get, FlusterEnvironment.PortVariables());

    /// <summary>The port that the job asked for under this name.</summary>
    /// <exception cref="KeyNotFoundException">The job has no such port; the message lists those it has.</exception>
    public int GetPort(string name) => Ports.TryGetValue(name, out var port) ? port : throw new KeyNotFoundException(
        $"{JobId} has no port '{name}'. " + (Ports.Count == 0
            ? $"It has none: submit it with Ports = [\"{name}\"]."
            : $"It has: {string.Join(", ", Ports.Keys.Order(StringComparer.Ordinal))}."));

    /// <summary>Makes this the current context until the returned scope is disposed.</summary>
    /// <remarks>Call it in a synchronous method or at the top of an asynchronous one, with <c>using</c>. In an async iterator it is lost after a <c>yield</c>.</remarks>
    public Scope Enter()
    {
        var previous = s_current.Value;
        s_current.Value = this;
        return new Scope(previous);
    }

    /// <inheritdoc/>
    public override string ToString() => $"{JobId} task {TaskIndex} of {TaskCount} in {Namespace}";

    /// <summary>This context with a controller and a stop signal that are made when they are first asked for.</summary>
    internal FlusterContext WithLazy(Func<IClusterController?> controller, Func<CancellationToken> stopping) =>
        this with { _controller = new(controller), _stopping = new(stopping) };

    /// <summary>This context with a way to know of a preemption.</summary>
    internal FlusterContext WithPreemption(Func<PreemptionNotice?> preemption) => this with { _preemption = preemption };

    /// <summary>Puts the previous context back when it is disposed.</summary>
    public readonly struct Scope : IDisposable
    {
        private readonly FlusterContext? _previous;

        internal Scope(FlusterContext? previous) => _previous = previous;

        /// <summary>Puts the previous context back.</summary>
        public void Dispose() => s_current.Value = _previous;
    }
}
