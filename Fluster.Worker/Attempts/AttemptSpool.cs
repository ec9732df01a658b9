using Google.Protobuf;

namespace Fluster.Worker;

/// <summary>
/// What must survive the worker: which fences were started, how attempts ended, and what they wrote, until the controller has it. One
/// directory per attempt with its outcome and its log; a journal of starts for all.
/// </summary>
internal sealed class AttemptSpool : IDisposable
{
    private const string OutcomeFile = "outcome";
    private const string OwnerFile = "owner";

    private readonly string _directory;
    private readonly StartJournal _journal;

    private AttemptSpool(string directory, StartJournal journal)
    {
        _directory = directory;
        _journal = journal;
    }

    /// <summary>Fences that were started here and are done with.</summary>
    public IReadOnlyCollection<Fence> Forgotten => _journal.Forgotten;

    public static AttemptSpool Open(string directory)
    {
        Directory.CreateDirectory(directory);
        return new AttemptSpool(directory, StartJournal.Open(Path.Combine(directory, "starts")));
    }

    /// <summary>Returns when the disk has it that the attempt is being started.</summary>
    public void Start(Fence fence, V1.AttemptSpec spec)
    {
        var owner = new V1.AttemptSpec { JobId = spec.JobId, Namespace = spec.Namespace, TaskIndex = spec.TaskIndex };
        Directory.CreateDirectory(DirectoryOf(fence));
        File.WriteAllBytes(Path.Combine(DirectoryOf(fence), OwnerFile), owner.ToByteArray());
        _journal.Start(fence);
    }

    /// <summary>Returns when the disk has the outcome.</summary>
    public void Store(Fence fence, V1.AttemptOutcome outcome)
    {
        Directory.CreateDirectory(DirectoryOf(fence));
        DurableFile.Write(Path.Combine(DirectoryOf(fence), OutcomeFile), outcome.ToByteArray());
    }

    /// <summary>The controller has the outcome. The log stays until <see cref="RemoveLog"/>.</summary>
    public void Forget(Fence fence)
    {
        _journal.Forget(fence);
        File.Delete(Path.Combine(DirectoryOf(fence), OutcomeFile));
    }

    /// <summary>The controller has the whole log, or does not want it.</summary>
    public void RemoveLog(Fence fence)
    {
        if (Directory.Exists(DirectoryOf(fence)))
        {
            Directory.Delete(DirectoryOf(fence), recursive: true);
        }
    }

    public LogSpool OpenLog(Fence fence, V1.AttemptSpec spec, Action appended) =>
        LogSpool.Open(DirectoryOf(fence), new LogOwner(fence, spec.JobId, spec.TaskIndex), appended);

    /// <summary>What an earlier run left: attempts to report, and logs to send.</summary>
    public (IReadOnlyList<RecoveredAttempt> Attempts, IReadOnlyList<(Fence Fence, LogSpool Log)> Logs) Recover(Action appended)
    {
        var logs = new SortedDictionary<Fence, LogSpool>();
        var outcomes = new Dictionary<Fence, V1.AttemptOutcome>();
        foreach (var directory in Directory.GetDirectories(_directory))
        {
            if (!ulong.TryParse(Path.GetFileName(directory), out var value))
            {
                continue;
            }

            var fence = new Fence(value);
            logs.Add(fence, OpenLog(fence, Read(directory, OwnerFile, V1.AttemptSpec.Parser) ?? new V1.AttemptSpec(), appended));
            if (Read(directory, OutcomeFile, V1.AttemptOutcome.Parser) is { } outcome)
            {
                outcomes.Add(fence, outcome);
            }
        }

        var attempts = ToReport(_journal.Started, _journal.Forgotten, outcomes, fence => logs.GetValueOrDefault(fence)?.Totals ?? new V1.LogTotals());
        return (attempts, [.. logs.Select(log => (log.Key, log.Value))]);
    }

    /// <summary>What the next start of a worker has to report: everything that was started or has an outcome, until the controller has it.</summary>
    public static IReadOnlyList<RecoveredAttempt> ToReport(
        IEnumerable<Fence> started, IEnumerable<Fence> forgotten, IReadOnlyDictionary<Fence, V1.AttemptOutcome> outcomes, Func<Fence, V1.LogTotals> logs) =>
        [.. started.Union(outcomes.Keys).Except(forgotten).Order().Select(fence => new RecoveredAttempt(fence, outcomes.GetValueOrDefault(fence), logs(fence)))];

    public void Dispose() => _journal.Dispose();

    private string DirectoryOf(Fence fence) => Path.Combine(_directory, fence.ToString());

    private static T? Read<T>(string directory, string name, MessageParser<T> parser)
        where T : class, IMessage<T>
    {
        var path = Path.Combine(directory, name);
        try
        {
            return File.Exists(path) ? parser.ParseFrom(File.ReadAllBytes(path)) : null;
        }
        catch (InvalidProtocolBufferException)
        {
            return null; // the owner is not forced to the disk: a crash of the machine can leave half of it
        }
    }
}
