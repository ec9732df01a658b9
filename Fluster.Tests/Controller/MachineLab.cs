using System.Collections.Immutable;
using Fluster.Cluster;
using Fluster.Controller;

namespace Fluster.Tests;

/// <summary>
/// Runs the machine as the loop does, without its thread and disk: a step, fold, publish. After each step it runs the step a second time to see that
/// nothing else than its arguments counts, and checks the invariants.
/// </summary>
internal sealed class MachineLab
{
    private JobDirectory _directory = new();
    private ClusterView _view;
    private readonly Queue<ClusterInput> _following = new();

    public MachineLab()
    {
        State = new ClusterState { Meta = new ClusterMeta { ClusterId = "lab", Epoch = 1 } };
        _view = new ClusterView(State, _directory);
    }

    public ClusterState State { get; private set; }

    /// <summary>Milliseconds of cluster time; the wall clock shows the same.</summary>
    public long Now { get; set; } = 1_000;

    public bool IsDue => _view.NextDue <= Now;

    public bool HasFollowing => _following.Count > 0;

    /// <summary>Steps, folds and checks. Steps that were cut short go on with <see cref="GoOn"/>.</summary>
    public StepResult Apply(ClusterInput input)
    {
        var now = new ClusterNow(Now, Now);
        var result = ClusterMachine.Step(_view, input, now);
        Assert.Equal(StepText.Of(result), StepText.Of(ClusterMachine.Step(_view, input, now)));
        if (result.Rejection is not null)
        {
            Assert.True(result.Changes.IsEmpty, "A refusal changes nothing.");
            Assert.Empty(result.Effects);
            return result;
        }

        _view.Fold(result.Changes);
        var before = State;
        State = _view.ToState();
        foreach (var effect in result.Effects.OfType<ClusterEffect.GoOn>())
        {
            _following.Enqueue(effect.Input);
        }

        ClusterInvariants.Check(before, State, settled: _following.Count == 0, Now);
        return result;
    }

    public StepResult GoOn() => Apply(_following.Dequeue());

    public void GoOnToTheEnd()
    {
        while (HasFollowing)
        {
            GoOn();
        }
    }

    /// <summary>The controller is started again: what it knows is what the state says, and what waited to be gone on with is found again.</summary>
    public void Restart()
    {
        State = State.AtNextStart();
        _directory = new JobDirectory();
        _view = new ClusterView(State, _directory);
        _following.Clear();
        foreach (var effect in OwedEffects.Of(State).OfType<ClusterEffect.GoOn>())
        {
            _following.Enqueue(effect.Input);
        }
    }

    public JobRecord? Job(string id) => _directory.Find(JobId.Parse(id), State);

    public WorkerRecord? Worker(string id) => State.Workers.Ascending().FirstOrDefault(worker => worker.Id.ToString() == id);

    public AttemptRecord? Attempt(JobRecord job, int task, int number = 0)
    {
        var attempts = State.TaskOf(job, task)?.Attempts ?? [];
        return attempts.IsEmpty ? null : State.Attempt(number == 0 ? attempts[^1] : attempts[number - 1]);
    }

    public static ImmutableArray<Observation> Seen(Fence fence, AttemptPhase phase, AttemptOutcome? outcome = null) => [new Observation(fence, phase) { Outcome = outcome }];

    public static AttemptOutcome Success { get; } = new(null, null, new LogTotalsRecord(0, 0, 0, 0, UnknownTail: false));

    public static AttemptOutcome Exit(int code) => Failure(new JobFailure(FailureKind.ExitCode, $"Exit code: {code}") { ExitCode = code });

    public static AttemptOutcome Failure(JobFailure failure) => new(failure, null, new LogTotalsRecord(0, 0, 0, 0, UnknownTail: false));
}
