using System.Diagnostics;

namespace Fluster.Cluster;

/// <summary>
/// The jobs of a <see cref="LocalClient"/> and the rules by which they live: those of a controller, as far as they mean something in one process. Everything
/// changes under one lock, and what has to be done outside of it is done after it.
/// </summary>
internal sealed class LocalJobs(LocalClientOptions options, LocalEndpoints endpoints, TimeProvider time)
{
    private const long FirstBackOff = 1_000;
    private const long LongestBackOff = 60_000;

    /// <summary>No process lives that long.</summary>
    private static readonly TimeSpan s_longestTimer = TimeSpan.FromDays(40);

    private readonly Lock _gate = new();
    private readonly LocalPlaces _places = new(options.MaxTasks);
    private readonly LocalDirectory _directory = new();
    private readonly Queue<Action> _effects = new();
    private long _created;
    private bool _closed;

    /// <summary>Starts an attempt. Called outside the lock.</summary>
    public required Action<LocalAttempt> Start { get; set; }

    /// <summary>Refuses new jobs from now on.</summary>
    public void Close() => Do(() => _closed = true);

    /// <param name="parentFence">The attempt that submits; none: a root job.</param>
    /// <param name="name">The job's name.</param>
    /// <param name="namespace">Its namespace.</param>
    /// <param name="make">Makes the job from its number, id, plain id and parent.</param>
    /// <exception cref="ClusterException">The rules refuse it.</exception>
    public LocalJob Submit(Fence parentFence, string name, Namespace @namespace, Func<long, JobId, JobId, LocalAttempt?, LocalJob> make) => Do(() =>
    {
        ObjectDisposedException.ThrowIf(_closed, typeof(LocalClient));
        var parent = ParentOf(parentFence, @namespace);
        var (id, plain) = _directory.NewId(parent, name);
        var job = make(++_created, id, plain, parent);
        _directory.Add(job);
        parent?.LiveChildren.Add(job);
        foreach (var task in job.Tasks)
        {
            WantPlace(task);
        }

        if (job.Request.SchedulingTimeout is { } longest)
        {
            After(job, longest, () => GiveUpWaiting(job, longest));
        }

        return job;
    });

    /// <exception cref="ClusterException">There is no such job that the caller may see.</exception>
    public T Read<T>(JobId id, LocalAttempt? caller, Func<LocalJob, T> read)
    {
        lock (_gate)
        {
            return read(_directory.Find(id, caller));
        }
    }

    /// <summary>All jobs that fit, newest first.</summary>
    public List<T> ReadAll<T>(Func<LocalJob, bool> isWanted, Func<LocalJob, T> read)
    {
        lock (_gate)
        {
            return [.. _directory.Jobs.Where(isWanted).OrderByDescending(job => job.Number).Select(read)];
        }
    }

    public LocalAttempt? FindAttempt(Fence fence)
    {
        lock (_gate)
        {
            return _directory.FindAttempt(fence);
        }
    }

    public JobExplanation Explain(JobId id, LocalAttempt? caller) => Read(id, caller, job => LocalExplainer.Of(job, _places, time.GetUtcNow(), caller));

    public JobStatus Status(JobId id, LocalAttempt? caller) => Read(id, caller, job => StatusOf(job, withTasks: true));

    public JobStatus StatusOf(LocalJob job, bool withTasks) => LocalStatus.Of(job, withTasks, () => LocalExplainer.Of(job, _places, time.GetUtcNow(), null).Reason);

    public JobStatus Terminate(JobId id, LocalAttempt? caller) => Do(() =>
    {
        var job = _directory.Find(id, caller);
        StopJob(job, KillCause.User, JobState.Killed, LocalFailures.Terminated(KillCause.User));
        return StatusOf(job, withTasks: true);
    });

    /// <summary>What runs of the job is told that it is preempted, and ends after the notice at the latest.</summary>
    public void Preempt(JobId id, TimeSpan notice, LocalAttempt? caller) => Do(() =>
    {
        foreach (var attempt in _directory.Find(id, caller).Tasks.Select(task => task.Current).OfType<LocalAttempt>().Where(attempt => !attempt.IsStopping))
        {
            (attempt.Notice, attempt.Preemption) = (notice, new PreemptionNotice(time.GetUtcNow() + notice));
            StopAttempt(attempt, KillCause.Preemption);
        }
    });

    public int TerminateWhere(Func<LocalJob, bool> isMeant, KillCause cause) => Do(() =>
    {
        var live = _directory.Jobs.Where(job => job is { IsLive: true, Stopping: false } && isMeant(job)).OrderBy(job => job.Number).ToList();
        live.ForEach(job => StopJob(job, cause, JobState.Killed, LocalFailures.Terminated(cause)));
        return live.Count;
    });

    /// <summary>The attempt's code runs from now on.</summary>
    /// <returns>False when it is to stop and should not begin.</returns>
    public bool Began(LocalAttempt attempt, IReadOnlyDictionary<string, int> ports) => Do(() =>
    {
        if (attempt.IsStopping)
        {
            return false;
        }

        attempt.Ports = ports;
        attempt.StartedAt = time.GetUtcNow();
        attempt.State = attempt.Task.State = JobState.Running;
        if (attempt.Job.Request.ExecutionTimeout is { } longest)
        {
            After(attempt.Job, longest, () => TimeOut(attempt));
        }

        Settle(attempt.Job);
        return true;
    });

    /// <summary>The attempt's code has ended, or is not waited for any longer. Only the first time counts.</summary>
    public void End(LocalAttempt attempt, LocalEnd end) => Do(() =>
    {
        if (!attempt.IsLive)
        {
            return;
        }

        var (job, task) = (attempt.Job, attempt.Task);
        var failure = LocalFailures.Of(attempt, end);
        attempt.Failure = failure;
        attempt.State = failure is null ? JobState.Succeeded : failure.Kind == FailureKind.Killed ? JobState.Killed : JobState.Failed;
        attempt.EndedAt = time.GetUtcNow();
        task.Current = null;
        _places.GiveBack(attempt);
        endpoints.RemoveAllOf(attempt);
        if (failure is not null || !job.Request.KeepChildren || job.Stopping)
        {
            StopChildren(attempt, KillCause.Parent);
        }

        if (job.Stopping)
        {
            task.State = attempt.State;
        }
        else if (failure is null)
        {
            (task.State, task.Result) = (JobState.Succeeded, end.Result);
        }
        else
        {
            FailTask(task, attempt, failure);
        }

        MendGang(job);
        Settle(job);
    });

    /// <summary>Does something that makes the attempt an owner, unless it has ended or is to end: it would outlive it.</summary>
    /// <exception cref="ClusterException">It has ended, or is stopping.</exception>
    public T Own<T>(LocalAttempt attempt, Func<T> register)
    {
        lock (_gate)
        {
            return attempt is { IsLive: true, IsStopping: false, Job.Stopping: false } ? register() : throw new ClusterException(
                ClusterError.FailedPrecondition, $"The attempt {attempt.Fence} of job '{attempt.Job.Id}' {(attempt.IsLive ? "is stopping" : "has ended")}: it cannot register endpoints.");
        }
    }

    /// <summary>While the returned scope is open, the attempt waits for jobs below it and lends its place to somebody else.</summary>
    public IDisposable? Lend(LocalAttempt? attempt, IEnumerable<JobId> jobs)
    {
        if (attempt is null || !jobs.Any(job => job != attempt.Job.Id && job.IsWithin(attempt.Job.Id)))
        {
            return null;
        }

        Do(() =>
        {
            if (attempt.Waits++ == 0)
            {
                _places.GiveBack(attempt);
            }
        });
        return new LentPlace(() => Do(() =>
        {
            // At once, even if that is one more than there are places: it may be about to end those that have them.
            if (--attempt.Waits == 0 && attempt.IsLive)
            {
                _places.Hold(attempt);
            }
        }));
    }

    private void Do(Action change) => Do(() =>
    {
        change();
        return 0;
    });

    private T Do<T>(Func<T> change)
    {
        T result;
        List<Action> effects;
        lock (_gate)
        {
            result = change();
            Place();
            effects = [.. _effects];
            _effects.Clear();
        }

        effects.ForEach(effect => effect());
        return result;
    }

    /// <summary>Changes something later, unless the job has ended by then.</summary>
    private void After(LocalJob job, TimeSpan delay, Action change)
    {
        if (delay > s_longestTimer)
        {
            return;
        }

        _effects.Enqueue(() => _ = Detached.Run(async () =>
        {
            try
            {
                await job.Ended.Task.WaitAsync(delay, time).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                Do(change);
            }
        }));
    }

    private LocalAttempt? ParentOf(Fence fence, Namespace @namespace)
    {
        if (fence.IsNone)
        {
            return null;
        }

        var parent = _directory.FindAttempt(fence) ?? throw new ClusterException(ClusterError.NotFound, $"There is no attempt {fence}.");
        var job = parent.Job;
        if (job.Stopping || !parent.IsLive || parent.IsStopping)
        {
            var why = job.Stopping || parent.IsLive ? "is stopping" : !job.IsLive ? $"has ended ({job.State})" : "has no running attempt, or an older one asks";
            throw new ClusterException(ClusterError.FailedPrecondition, $"Job '{job.Id}' {why}: it cannot have children now.");
        }

        return job.Namespace == @namespace
            ? parent
            : throw new ClusterException(ClusterError.PermissionDenied, $"A child lives in its parent's namespace, which is '{job.Namespace}'.");
    }

    private void WantPlace(LocalTask task)
    {
        var job = task.Job;
        if (job is { IsLive: true, Stopping: false } && (job.IsGang ? !job.Gang.Broken && job.Tasks.All(member => member.IsReady) : task.IsReady))
        {
            _places.Want(job.IsGang ? job.Tasks[0] : task);
        }
    }

    private void Place()
    {
        foreach (var first in _places.TakeStartable())
        {
            foreach (var task in first.Job.IsGang ? first.Job.Tasks : [first])
            {
                var fence = _directory.NewFence();
                var attempt = new LocalAttempt(fence, task, new LocalOutput(first.Job.Log, task.Index, fence, time));
                _directory.Add(attempt);
                task.Attempts.Add(attempt);
                (task.Current, task.State) = (attempt, JobState.Building);
                _places.Hold(attempt);
                _effects.Enqueue(() => Start(attempt));
            }

            Settle(first.Job);
        }
    }

    private void GiveUpWaiting(LocalJob job, TimeSpan longest)
    {
        if (job.Tasks.Any(task => task.Attempts.Count == 0))
        {
            StopJob(job, KillCause.Sibling, JobState.Unschedulable, new JobFailure(FailureKind.SchedulingTimeout, $"No place was found within the scheduling timeout of {longest.TotalSeconds:0.###} s"));
        }
    }

    private void TimeOut(LocalAttempt attempt)
    {
        if (attempt is { IsLive: true, IsStopping: false })
        {
            attempt.TimedOut = true;
            Cancel(attempt);
        }
    }

    private void StopJob(LocalJob job, KillCause cause, JobState verdict, JobFailure failure)
    {
        if (!job.IsLive || job.Stopping)
        {
            return;
        }

        (job.Stopping, job.StopCause, job.Verdict, job.Failure) = (true, cause, verdict, failure);
        foreach (var task in job.Tasks)
        {
            _places.Leave(task);
            StopAttempt(task.Current, cause);
            task.Attempts.ForEach(attempt => StopChildren(attempt, KillCause.Parent));
        }

        Settle(job);
    }

    private void StopChildren(LocalAttempt attempt, KillCause cause)
    {
        cause = attempt.Job is { Stopping: true, StopCause: KillCause.Shutdown } ? KillCause.Shutdown : cause;
        foreach (var child in attempt.LiveChildren.OrderBy(child => child.Number).ToList())
        {
            StopJob(child, cause, JobState.Killed, LocalFailures.Terminated(cause));
        }
    }

    private void StopAttempt(LocalAttempt? attempt, KillCause cause)
    {
        if (attempt is { IsLive: true, StopCause: null })
        {
            attempt.StopCause = cause;
            Cancel(attempt);
        }
    }

    // User code listens to the token: neither under the lock nor in the context of whoever stops the job.
    private void Cancel(LocalAttempt attempt) => _effects.Enqueue(() => _ = Detached.Run(attempt.Stop.CancelAsync));

    private void FailTask(LocalTask task, LocalAttempt attempt, JobFailure failure)
    {
        var job = task.Job;
        task.State = JobState.Pending;
        if (job.IsGang && (attempt.StopCause == KillCause.Gang || job.Gang.Broken))
        {
            return; // its generation has failed already
        }

        var preempted = attempt.StopCause == KillCause.Preemption;
        var failures = preempted ? ++(job.IsGang ? job.Tasks[0] : task).Preemptions : job.IsGang ? job.Gang.Failures + 1 : ++task.Failures;
        job.Gang = (preempted ? job.Gang.Failures : failures, job.IsGang);
        if (failures > (preempted ? job.Request.MaxPreemptionRetries : job.Request.MaxFailureRetries))
        {
            task.State = JobState.Failed;
            StopJob(job, KillCause.Sibling, JobState.Failed, failure);
        }
        else if (job.IsGang)
        {
            foreach (var member in job.Tasks)
            {
                StopAttempt(member.Current, KillCause.Gang);
            }
        }
        else
        {
            Retry(task, failures);
        }
    }

    /// <summary>The last try of a gang failed, and all of it has ended: the next one.</summary>
    private void MendGang(LocalJob job)
    {
        if (job is { IsGang: true, Stopping: false, Gang: { Broken: true, Failures: var failures } } && job.Tasks.All(task => task.Current is null))
        {
            job.Gang = (failures, false);
            foreach (var task in job.Tasks)
            {
                (task.State, task.Result) = (JobState.Pending, null);
                Retry(task, failures);
            }
        }
    }

    private void Retry(LocalTask task, int failures)
    {
        var pause = TimeSpan.FromMilliseconds(Math.Min(LongestBackOff, FirstBackOff << Math.Clamp(failures - 1, 0, 6)));
        task.RetryAt = time.GetUtcNow() + pause;
        After(task.Job, pause, () =>
        {
            task.RetryAt = null;
            WantPlace(task);
        });
    }

    /// <summary>Moves a job to where its tasks are.</summary>
    private void Settle(LocalJob job)
    {
        if (!job.IsLive)
        {
            return;
        }

        if (job.Stopping)
        {
            if (job.Tasks.All(task => task.Current is null))
            {
                EndJob(job, job.Verdict);
            }

            return;
        }

        if (job.Tasks.All(task => task.State == JobState.Succeeded))
        {
            EndJob(job, JobState.Succeeded);
            return;
        }

        job.State = job.Tasks.Any(task => task.State == JobState.Running) ? JobState.Running
            : job.Tasks.Any(task => task.State == JobState.Building) ? JobState.Building
            : JobState.Pending;
        job.StartedAt ??= job.State == JobState.Running ? time.GetUtcNow() : null;
    }

    private void EndJob(LocalJob job, JobState state)
    {
        Debug.Assert(job.Tasks.All(task => task.Current is null), "Something of it still runs.");
        (job.State, job.Stopping, job.EndedAt) = (state, false, time.GetUtcNow());
        foreach (var task in job.Tasks)
        {
            task.RetryAt = null;
            task.State = task.State.IsTerminal ? task.State : state == JobState.Unschedulable ? state : JobState.Killed;
        }

        _directory.Ended(job);
        if (job.Parent is { } parent)
        {
            parent.LiveChildren.Remove(job);
            WantPlace(parent.Task);
        }

        _effects.Enqueue(() =>
        {
            LocalFiles.Remove(job.Files);
            job.Log.Complete();
            job.Ended.TrySetResult();
        });
    }

    private sealed class LentPlace(Action giveBack) : IDisposable
    {
        public void Dispose() => giveBack();
    }
}
