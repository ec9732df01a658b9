using System.Text;
using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>
/// Runs a script: blocks of commands, <c>----</c>, and what they print. Every command is one input for the machine or one question about the
/// state.
/// </summary>
internal sealed class MachineScript
{
    private const string Divider = "----";

    private readonly MachineLab _lab = new();

    /// <summary>The script as it would be if it expected what happens.</summary>
    public static string Play(string script)
    {
        var player = new MachineScript();
        var played = new StringBuilder();
        var printed = new List<string>();
        var expecting = false;
        foreach (var line in script.ReplaceLineEndings("\n").Split('\n'))
        {
            if (line == Divider)
            {
                expecting = true;
                played.Append(line).Append('\n').AppendJoin('\n', printed).Append('\n');
                printed.Clear();
            }
            else if (line.Length == 0)
            {
                expecting = false;
                played.Append('\n');
            }
            else if (!expecting)
            {
                played.Append(line).Append('\n');
                if (line[0] != '#')
                {
                    printed.AddRange(player.Run(line));
                }
            }
        }

        return played.ToString().TrimEnd('\n') + "\n";
    }

    private IEnumerable<string> Run(string line)
    {
        var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var options = words.Skip(1).Where(word => word.Contains('=', StringComparison.Ordinal)).ToDictionary(word => word[..word.IndexOf('=', StringComparison.Ordinal)], word => word[(word.IndexOf('=', StringComparison.Ordinal) + 1)..]);
        var arguments = words.Skip(1).Where(word => !word.Contains('=', StringComparison.Ordinal)).ToArray();
        return words[0] switch
        {
            "show" => Show(arguments[0]),
            "workers" => _lab.State.Workers.Ascending().Select(worker => $"{worker.Id} {worker.State}{(worker.Draining ? ", draining," : "")} holds {worker.Held.Length} cpu={worker.Used.CpuMillis}{Quarantine(worker)}"),
            "jobs" => [string.Join(' ', _lab.State.Jobs.Ascending().Select(job => job.Id))],
            "tombstones" => _lab.State.Tombstones.Ascending().Select(tombstone => $"{tombstone.Id} in {tombstone.Namespace?.ToString() ?? "any namespace"}, {(tombstone.Until - _lab.Now) / 1000m} s more"),
            "lookup" => Lookup(arguments[0]),
            "registrations" => _lab.State.Registrations.Ascending().Select(registration => $"{registration.Id} {(registration.Ended ? "ended" : "live")}"),
            "advance" => Advance(arguments[0]),
            "go-on" => Print(_lab.GoOn()),
            _ => Print(_lab.Apply(InputOf(words[0], arguments, options))),
        };
    }

    private ClusterInput InputOf(string command, string[] arguments, Dictionary<string, string> options) => command switch
    {
        "worker" => Hello(arguments, options),
        "submit" => Submit(arguments, options),
        "place" => new ClusterInput.Place([new Placement(Job(arguments[0]).Uid, Task(arguments[0]), _lab.Worker(arguments[1])!.Uid)]),
        "place-gang" => new ClusterInput.PlaceGang(Job(arguments[0]).Uid, Task(arguments[0]), [.. arguments.Skip(1).Select(worker => _lab.Worker(worker)!.Uid)]),
        "preparing" => Observe(arguments[0], AttemptPhase.Preparing, null),
        "running" => Observe(arguments[0], AttemptPhase.Running, null),
        "succeeded" => Observe(arguments[0], AttemptPhase.Ended, MachineLab.Success),
        "exited" => Observe(arguments[0], AttemptPhase.Ended, MachineLab.Exit(int.Parse(arguments[1]))),
        "undead" => Undead(arguments[0], int.Parse(arguments[1])),
        "faulted" => Observe(arguments[0], AttemptPhase.Ended, MachineLab.Failure(new JobFailure(FailureKind.WorkerFault, "no runtime"))),
        "missing-program" => Observe(arguments[0], AttemptPhase.Ended, MachineLab.Failure(new JobFailure(FailureKind.ProgramNotFound, "no such program"))),
        "killed" => Observe(arguments[0], AttemptPhase.Ended, MachineLab.Failure(new JobFailure(FailureKind.Killed, "killed") { KilledBy = KillCause.Preemption })),
        "timedout" => Observe(arguments[0], AttemptPhase.Ended, MachineLab.Failure(new JobFailure(FailureKind.Timeout, "Timeout exceeded") { ExitCode = -1 })),
        "drain" => new ClusterInput.DrainWorker(_lab.Worker(arguments[0])!.Uid, arguments.Contains("now", StringComparer.Ordinal)),
        "missing" => Missing(arguments[0]),
        "terminate" => new ClusterInput.TerminateJob(_lab.Job(arguments[0])?.Uid ?? 999, KillCause.User),
        "terminate-unknown" => new ClusterInput.TerminateUnknown(JobId.Parse(arguments[0]), options.TryGetValue("namespace", out var only) ? Namespace.Parse(only) : null),
        "stop-within" => new ClusterInput.StopWithin(JobId.Parse(arguments[0]), options.TryGetValue("namespace", out var within) ? Namespace.Parse(within) : null, KillCause.User),
        "archive" => new ClusterInput.ArchiveJobs(int.Parse(options.GetValueOrDefault("keep", "100000")), 1000 * long.Parse(options.GetValueOrDefault("age", "2592000"))),
        "shutdown" => new ClusterInput.StopAll(KillCause.Shutdown),
        "silent" => new ClusterInput.Silence(_lab.Worker(arguments[0])!.Uid, _lab.Worker(arguments[0])!.Incarnation, WorkerEvent.Silent),
        "lost" => new ClusterInput.Silence(_lab.Worker(arguments[0])!.Uid, _lab.Worker(arguments[0])!.Incarnation, WorkerEvent.SilentForLong),
        "heartbeat" => new ClusterInput.Observe(_lab.Worker(arguments[0])!.Uid, ulong.Parse(options.GetValueOrDefault("incarnation", $"{_lab.Worker(arguments[0])!.Incarnation}")), [], []),
        "register" => new ClusterInput.RegisterEndpoint(EndpointId.Parse(arguments[0]), Namespace.Default, arguments[1], "host:1", [], OwnerOf(arguments.ElementAtOrDefault(2), options)),
        "open" => new ClusterInput.OpenRegistration(RegistrationId.Parse(arguments[0]), Namespace.Parse(options.GetValueOrDefault("namespace", "default"))),
        "beat" => new ClusterInput.HearRegistration(Registration(arguments[0])),
        "close" => new ClusterInput.EndRegistration(Registration(arguments[0]), Lost: false),
        "vanish" => new ClusterInput.EndRegistration(Registration(arguments[0]), Lost: true),
        "unregister" => new ClusterInput.UnregisterEndpoint(EndpointId.Parse(arguments[0]), Namespace.Default),
        _ => throw new FormatException($"There is no command '{command}'."),
    };

    private ClusterInput.Hello Hello(string[] arguments, Dictionary<string, string> options) => new(
        WorkerId.Parse(arguments[0]),
        ulong.Parse(options.GetValueOrDefault("incarnation", "1")),
        new WorkerTraits
        {
            Capacity = Shape(arguments, options, cpu: "4", memory: 4L << 30),
            Region = options.GetValueOrDefault("region", ""),
            MaxConcurrentJobs = int.Parse(options.GetValueOrDefault("jobs", "10")),
        },
        [.. options.GetValueOrDefault("holds", "").Split(',', StringSplitOptions.RemoveEmptyEntries).Select(name => new Observation(AttemptOf(name).Fence, AttemptPhase.Running))]);

    private static ResourceShape Shape(string[] arguments, Dictionary<string, string> options, string cpu, long memory) => new()
    {
        CpuMillis = Cores(options.GetValueOrDefault("cpu", cpu)),
        MemoryBytes = memory,
        Gpus = int.Parse(options.GetValueOrDefault("gpus", "0")),
        GpuVariant = options.GetValueOrDefault("gpu", ""),
        TpuVariant = options.GetValueOrDefault("tpu", ""),
        Preemptible = arguments.Contains("preemptible", StringComparer.Ordinal),
        Container = arguments.Contains("container", StringComparer.Ordinal),
    };

    private ClusterInput.SubmitJob Submit(string[] arguments, Dictionary<string, string> options)
    {
        var id = JobId.Parse(arguments[0]);
        return new ClusterInput.SubmitJob(
            id,
            options.GetValueOrDefault("request", $"request of {id} at {_lab.State.Meta.NextJob}"),
            Namespace.Parse(options.GetValueOrDefault("namespace", "default")),
            new JobTerms
            {
                Name = id.LastPart,
                Replicas = int.Parse(options.GetValueOrDefault("replicas", "1")),
                Shape = Shape(arguments, options, cpu: "1", memory: 1L << 20) with { Regions = options.GetValueOrDefault("regions", "") },
                Priority = null,
                FailureRetries = int.Parse(options.GetValueOrDefault("retries", "0")),
                LossRetries = int.Parse(options.GetValueOrDefault("losses", "100")),
                SchedulingTimeout = 1000 * long.Parse(options.GetValueOrDefault("scheduling", "0")),
                ExecutionTimeout = 1000 * long.Parse(options.GetValueOrDefault("execution", "0")),
                KeepChildren = arguments.Contains("keep-children", StringComparer.Ordinal),
                Coscheduled = arguments.Contains("coscheduled", StringComparer.Ordinal),
                Exclusive = arguments.Contains("exclusive", StringComparer.Ordinal),
                SliceSize = int.Parse(options.GetValueOrDefault("slice", "1")),
            },
            Request: default,
            Trace: default,
            options.TryGetValue("by", out var parent) ? AttemptOf(parent).Fence : default);
    }

    private ClusterInput.Observe Observe(string name, AttemptPhase phase, AttemptOutcome? outcome)
    {
        var attempt = AttemptOf(name);
        var worker = _lab.State.Workers.Find(attempt.WorkerUid)!;
        return new ClusterInput.Observe(worker.Uid, worker.Incarnation, MachineLab.Seen(attempt.Fence, phase, outcome), []);
    }

    /// <summary>It has ended with a code, and a process of it cannot be killed.</summary>
    private ClusterInput.Observe Undead(string name, int exitCode)
    {
        var observe = Observe(name, AttemptPhase.Ended, MachineLab.Exit(exitCode));
        return observe with { Seen = [.. observe.Seen.Select(seen => seen with { Undead = true })] };
    }

    private ClusterInput.Observe Missing(string name)
    {
        var attempt = AttemptOf(name);
        var worker = _lab.State.Workers.Find(attempt.WorkerUid)!;
        return new ClusterInput.Observe(worker.Uid, worker.Incarnation, [], [attempt.Fence]);
    }

    private EndpointOwner OwnerOf(string? name, Dictionary<string, string> options) =>
        options.TryGetValue("registration", out var id) ? new EndpointOwner(default, RegistrationId.Parse(id)) : new EndpointOwner(AttemptOf(name!).Fence);

    private long Registration(string id) => _lab.State.Registrations.Ascending().FirstOrDefault(registration => registration.Id.ToString() == id)?.Uid ?? 999;

    private IEnumerable<string> Advance(string seconds)
    {
        _lab.Now += (long)(decimal.Parse(seconds) * 1000);
        return _lab.IsDue ? Print(_lab.Apply(new ClusterInput.Tick())).Prepend("due:") : ["nothing is due"];
    }

    private IEnumerable<string> Lookup(string name)
    {
        var found = _lab.State.Endpoints.Named(new EndpointKey(Namespace.Default, name)).Select(endpoint => $"{endpoint.Id} -> {endpoint.Address} of {endpoint.OwnerJob?.ToString() ?? endpoint.Owner.Registration?.ToString()}").ToList();
        return found.Count == 0 ? ["nobody"] : found;
    }

    private IEnumerable<string> Show(string id)
    {
        if (_lab.Job(id) is not { } job)
        {
            yield return "no such job";
            yield break;
        }

        var line = new StringBuilder($"{job.Id} {job.State}");
        line.Append(job.Stopping ? $", stopping to be {job.Verdict}" : "");
        line.Append(job.Failure is { } failure ? $": {failure.Message}" : "");
        yield return line.ToString();
        for (var index = 0; index < job.Terms.Replicas; index++)
        {
            if (_lab.State.TaskOf(job, index) is { } task)
            {
                var wait = task.State == JobState.Pending && task.NotBefore > _lab.Now ? $", again in {(task.NotBefore - _lab.Now) / 1000m} s" : "";
                var children = task.LiveChildren > 0 ? $", {task.LiveChildren} live children" : "";
                var part = task.Part switch { GangPart.Arrived => ", arrived", GangPart.Fallen => ", fallen", _ => "" };
                yield return $"  task {index} {task.State}{part}{wait}{children}: {string.Join("; ", task.Attempts.Select(fence => Describe(_lab.State.Attempt(fence)!)))}";
            }
        }
    }

    private string Quarantine(WorkerRecord worker) => worker.QuarantinedUntil > _lab.Now ? $", in quarantine for {(worker.QuarantinedUntil - _lab.Now) / 1000m} s" : "";

    private string Describe(AttemptRecord attempt)
    {
        var worker = _lab.State.Workers.Find(attempt.WorkerUid)!.Id;
        var stop = attempt.IsStopping ? ", to stop" : "";
        var gpus = attempt.Gpus.IsEmpty ? "" : $" gpus {attempt.Gpus}";
        return $"{attempt.State} on {worker}{gpus}{stop}{(attempt is { IsLive: false, Dead: false } ? ", not known to be dead" : "")}";
    }

    private IEnumerable<string> Print(StepResult result)
    {
        yield return result.Rejection is { } rejection ? $"refused {rejection.Kind}: {rejection.Message}" : result.Existed ? "ok, it was there" : "ok";
        foreach (var effect in result.Effects)
        {
            yield return effect switch
            {
                ClusterEffect.UpdateWorker update => $"! update {_lab.State.Workers.Find(update.WorkerUid)!.Id}",
                ClusterEffect.GoOn goOn => $"! go on with {goOn.Input.GetType().Name}",
                _ => $"! {effect}",
            };
        }
    }

    // "train", "train#1" (task), "train@2" (second attempt), "train#1@2".
    private AttemptRecord AttemptOf(string name)
    {
        var at = name.IndexOf('@', StringComparison.Ordinal);
        var number = at < 0 ? 0 : int.Parse(name[(at + 1)..]);
        return _lab.Attempt(Job(name), Task(name), number) ?? throw new FormatException($"'{name}' has no such attempt.");
    }

    private JobRecord Job(string name) => _lab.Job(name.Split('#', '@')[0]) ?? throw new FormatException($"There is no job '{name}'.");

    private static int Task(string name)
    {
        var hash = name.IndexOf('#', StringComparison.Ordinal);
        return hash < 0 ? 0 : int.Parse(name[(hash + 1)..].Split('@')[0]);
    }

    private static long Cores(string text) => (long)(decimal.Parse(text) * 1000);
}
