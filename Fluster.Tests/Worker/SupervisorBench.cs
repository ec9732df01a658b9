using Fluster.Cluster;
using Fluster.Worker;
using Google.Protobuf.WellKnownTypes;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Tests;

/// <summary>Plays everything around a supervisor: link, disk, runtime and time. What it outputs is written down as words.</summary>
internal sealed class SupervisorBench
{
    public const string ClusterId = "cluster-a";

    private long _version;

    public SupervisorBench(ClusterIdentity? remembered = null, params IEnumerable<ulong> forgotten) =>
        Supervisor = new AttemptSupervisor(remembered, forgotten.Select(fence => new Fence(fence)), () => DateTimeOffset.UnixEpoch);

    public AttemptSupervisor Supervisor { get; }

    public TimeSpan Now { get; private set; } = TimeSpan.FromHours(1);

    /// <summary>The last frame that was sent.</summary>
    public V1.Observed? Sent { get; private set; }

    /// <summary>The last outcome that was to be stored.</summary>
    public V1.AttemptOutcome? Outcome { get; private set; }

    public static V1.DesiredAttempt Run(ulong fence, Action<V1.AttemptSpec>? more = null)
    {
        var spec = new V1.AttemptSpec { JobId = $"job-{fence:x8}", Entrypoint = new V1.Entrypoint { Command = new V1.CommandEntrypoint { Argv = { "true" } } } };
        more?.Invoke(spec);
        return new V1.DesiredAttempt { Fence = fence, State = V1.DesiredState.Run, Spec = spec };
    }

    public static V1.DesiredAttempt Stop(ulong fence, V1.KillCause cause = V1.KillCause.User) => new()
    {
        Fence = fence,
        State = V1.DesiredState.Stop,
        StopCause = cause,
        StopGrace = Duration.FromTimeSpan(TimeSpan.FromSeconds(5)),
        Spec = Run(fence).Spec,
    };

    public string Link(string cluster = ClusterId, long epoch = 1) => Handle(new WorkerEvent.LinkOpened(new ClusterIdentity(cluster, epoch), TimeSpan.FromSeconds(5)));

    public string LinkThatAdopts(string cluster, long epoch = 1) =>
        Handle(new WorkerEvent.LinkOpened(new ClusterIdentity(cluster, epoch), TimeSpan.FromSeconds(5), Adopts: true));

    public string Desire(params V1.DesiredAttempt[] attempts) => Desire(complete: false, attempts);

    public string DesireAll(params V1.DesiredAttempt[] attempts) => Desire(complete: true, attempts);

    public string Acknowledge(ulong fence) => Handle(new WorkerEvent.DesiredArrived(new V1.Desired { Version = ++_version, Acknowledged = { fence } }));

    public string Supersede(ulong fence) => Handle(new WorkerEvent.DesiredArrived(new V1.Desired { Version = ++_version, Superseded = { fence } }));

    public string Recorded(ulong fence) => Handle(new WorkerEvent.StartRecorded(new Fence(fence)));

    public string Running(ulong fence) => Handle(new WorkerEvent.Running(new Fence(fence), DateTimeOffset.UnixEpoch, new Dictionary<string, int>(StringComparer.Ordinal) { ["p"] = 1 }));

    public string Ended(ulong fence, int? exitCode = 0, Func<AttemptEnd, AttemptEnd>? more = null)
    {
        var end = new AttemptEnd { At = DateTimeOffset.UnixEpoch, ExitCode = exitCode };
        return Handle(new WorkerEvent.Ended(new Fence(fence), more?.Invoke(end) ?? end));
    }

    public string Stored(ulong fence) => Handle(new WorkerEvent.OutcomeStored(new Fence(fence)));

    public string Pass(double seconds)
    {
        Now += TimeSpan.FromSeconds(seconds);
        return Handle(new WorkerEvent.Tick());
    }

    /// <summary>Time passes while the worker's process is stopped.</summary>
    public SupervisorBench PassUnnoticed(double seconds)
    {
        Now += TimeSpan.FromSeconds(seconds);
        return this;
    }

    /// <summary>An attempt up to its program.</summary>
    public void Begin(ulong fence, Action<V1.AttemptSpec>? more = null)
    {
        Desire(Run(fence, more));
        Recorded(fence);
        Running(fence);
    }

    /// <summary>The outputs, in order. A frame that was sent is taken by the link at once, as a quick link would.</summary>
    public string Handle(WorkerEvent workerEvent)
    {
        var words = new List<string>();
        foreach (var output in Supervisor.Handle(workerEvent, Now))
        {
            words.Add(Describe(output));
        }

        if (words.Exists(word => word.StartsWith("send", StringComparison.Ordinal)) && Handle(new WorkerEvent.LinkReady()) is { Length: > 0 } more)
        {
            words.Add(more);
        }

        return string.Join("; ", words);
    }

    private string Desire(bool complete, V1.DesiredAttempt[] attempts)
    {
        var desired = new V1.Desired { Version = ++_version, Complete = complete };
        desired.Attempts.AddRange(attempts);
        return Handle(new WorkerEvent.DesiredArrived(desired));
    }

    private string Describe(WorkerOutput output)
    {
        switch (output)
        {
            case WorkerOutput.RecordStart record:
                return $"record {record.Fence}";
            case WorkerOutput.Start start:
                return $"start {start.Fence}";
            case WorkerOutput.Terminate terminate:
                return $"terminate {terminate.Fence}{(terminate.PreemptedIn is { } left ? $" preempted in {left.TotalSeconds} s" : "")}";
            case WorkerOutput.Kill kill:
                return $"kill {kill.Fence}";
            case WorkerOutput.StoreOutcome store:
                Outcome = store.Outcome;
                return $"store {store.Fence} {(store.Outcome.Succeeded ? "ok" : store.Outcome.Failure.Kind)}";
            case WorkerOutput.UploadResult upload:
                return $"upload {upload.Fence} {upload.Result.Inline.Length}";
            case WorkerOutput.Forget forget:
                return $"forget {forget.Fence}";
            case WorkerOutput.RememberCluster remember:
                return $"remember {remember.Cluster.ClusterId}/{remember.Cluster.Epoch}";
            case WorkerOutput.Leave:
                return "leave";
            case WorkerOutput.RefuseLink:
                return "refuse";
            case WorkerOutput.Send send:
                Sent = send.Frame;
                var attempts = send.Frame.Attempts.Select(attempt => $" {attempt.Fence}:{attempt.Phase}");
                return $"send{(send.Frame.Complete ? " all" : "")} v{send.Frame.AppliedVersion}{string.Concat(attempts)}";
            default:
                throw new InvalidOperationException($"Unknown output {output}.");
        }
    }
}
