using System.Globalization;

namespace Fluster.GcpEmulator;

/// <summary>
/// All that there is in the emulated cloud, under one lock. What takes time is an operation with a due time; whoever asks first after that, or the clock, makes it so.
/// </summary>
internal sealed class EmulatedCloud(EmulatorOptions options, TimeProvider time, IMachineRunner runner)
{
    private readonly Dictionary<(string Project, string Zone, string Name), EmulatedOperation> _operations = [];
    private readonly Dictionary<(string Project, string RequestId), EmulatedOperation> _requests = [];
    private readonly List<(DateTimeOffset DueAt, Action Do)> _later = [];
    private long _lastId = 4_200_000_000_000_000_000;
    private int _lastAddress;

    public Lock Gate { get; } = new();

    public Faults Faults { get; } = new();

    public EmulatorOptions Options => options;

    public IMachineRunner Runner => runner;

    public TimeSpan OperationTime { get; set; } = options.OperationTime;

    public Dictionary<(string Project, string Zone, string Name), EmulatedInstance> Instances { get; } = [];

    public Dictionary<(string Project, string Zone, string Id), EmulatedNode> Nodes { get; } = [];

    public Dictionary<(string Project, string Zone, string Id), EmulatedQueuedResource> QueuedResources { get; } = [];

    /// <summary>Everything that was ever begun to be made, in order; requests that were repeated once only.</summary>
    public List<MadeResource> Made { get; } = [];

    /// <summary>How many requests were the repetition of one that had been taken.</summary>
    public int Repetitions { get; private set; }

    public DateTimeOffset Now => time.GetUtcNow();

    public string NowText => Text(Now);

    public IEnumerable<EmulatedMachine> Machines => Instances.Values.Select(instance => instance.Machine).OfType<EmulatedMachine>().Concat(Nodes.Values.SelectMany(node => node.Machines));

    public static string Text(DateTimeOffset moment) => moment.ToString("yyyy-MM-dd'T'HH:mm:ss.fffzzz", CultureInfo.InvariantCulture);

    public string NextId() => (++_lastId).ToString(CultureInfo.InvariantCulture);

    /// <summary>An address that no other machine has. One that runs has it on this computer.</summary>
    public string NextAddress()
    {
        var number = _lastAddress++;
        var (high, low) = (number / 250 % 250, number % 250 + 2);
        return runner.Runs ? $"{options.Network}.{high}.{low}" : $"10.128.{high}.{low}";
    }

    public string NextExternalAddress() => $"203.0.113.{_lastAddress % 250 + 1}";

    public void CheckZone(string zone)
    {
        if (!options.Zones.Contains(zone))
        {
            throw EmulatorException.NotFound($"projects/p/zones/{zone}");
        }
    }

    /// <summary>Makes true what is due. Under the lock.</summary>
    public void Advance()
    {
        var now = Now;
        while (_operations.Values.Where(operation => !operation.IsDone && operation.DueAt <= now).OrderBy(operation => operation.DueAt).ThenBy(operation => operation.Id, StringComparer.Ordinal).FirstOrDefault() is { } due)
        {
            due.EndedAt = now;
            (due.Problem is null ? due.OnDone : due.OnFailed)();
        }

        for (var index = 0; index < _later.Count;)
        {
            if (_later[index].DueAt <= now)
            {
                var action = _later[index].Do;
                _later.RemoveAt(index);
                action();
            }
            else
            {
                index++;
            }
        }
    }

    /// <summary>Ends all operations that are under way. Under the lock.</summary>
    public void Finish()
    {
        foreach (var operation in _operations.Values.Where(operation => !operation.IsDone))
        {
            operation.DueAt = Now;
        }

        Advance();
    }

    /// <summary>Does something after a while. Under the lock.</summary>
    public void Later(TimeSpan after, Action action) => _later.Add((Now + after, action));

    /// <summary>The operation that a request with this id began; null when there was none. Its parameters are not compared: it is the same request.</summary>
    public EmulatedOperation? Repeated(string project, string? requestId)
    {
        if (requestId is null)
        {
            return null;
        }

        if (!Guid.TryParse(requestId, out var id) || id == Guid.Empty)
        {
            throw EmulatorException.Invalid("requestId", requestId, "Must be a UUID, and not all zero.");
        }

        var operation = _requests.GetValueOrDefault((project, requestId));
        Repetitions += operation is null ? 0 : 1;
        return operation;
    }

    public EmulatedOperation Begin(
        string project, string zone, string verb, string target, string targetId, string? requestId, Action onDone, EmulatedProblem? problem = null, Action? onFailed = null, Func<System.Text.Json.JsonElement?>? response = null)
    {
        var id = NextId();
        var operation = new EmulatedOperation
        {
            Project = project,
            Zone = zone,
            Id = id,
            Name = $"operation-{id}-{Guid.NewGuid():N}"[..50],
            Verb = verb,
            Target = target,
            TargetId = targetId,
            RequestId = requestId,
            StartedAt = Now,
            DueAt = Now + OperationTime,
            OnDone = onDone,
            OnFailed = onFailed ?? (() => { }),
            Problem = problem,
            Response = response ?? (() => null),
        };
        _operations[(project, zone, operation.Name)] = operation;
        if (requestId is not null)
        {
            _requests[(project, requestId)] = operation;
        }

        return operation;
    }

    public EmulatedOperation? FindOperation(string project, string zone, string name) => _operations.GetValueOrDefault((project, zone, name));

    /// <summary>Starts the start-up script of a machine, where machines run.</summary>
    public void Boot(EmulatedMachine machine)
    {
        if (machine.Script.Length > 0)
        {
            runner.Start(machine);
        }
    }

    /// <summary>A machine is no more: its processes end, its metadata server falls silent.</summary>
    public void PowerOff(EmulatedMachine machine)
    {
        machine.IsGone = true;
        runner.Stop(machine);
    }

    /// <summary>The ids of requests count for a while only: one that comes again is a new one from here on.</summary>
    public void ForgetRequests() => _requests.Clear();

    /// <summary>Everything is gone, the faults too.</summary>
    public void Reset()
    {
        foreach (var machine in Machines.ToList())
        {
            PowerOff(machine);
        }

        Instances.Clear();
        Nodes.Clear();
        QueuedResources.Clear();
        _operations.Clear();
        _requests.Clear();
        _later.Clear();
        Made.Clear();
        Repetitions = 0;
        Faults.Clear();
        OperationTime = options.OperationTime;
    }
}

/// <summary>Something that a client asked for, or that came of it.</summary>
/// <param name="Kind">instances, nodes or queuedResources.</param>
/// <param name="Project">Who pays.</param>
/// <param name="Zone">Where.</param>
/// <param name="Name">What it is called.</param>
/// <param name="Shape">Its machine type, or its slice.</param>
/// <param name="Present">How many of its kind there were then, with it.</param>
internal sealed record MadeResource(string Kind, string Project, string Zone, string Name, string Shape, int Present)
{
    /// <summary>Whether its operation failed and left nothing.</summary>
    public bool Failed { get; set; }
}
