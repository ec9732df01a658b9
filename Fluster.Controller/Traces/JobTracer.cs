namespace Fluster.Controller;

/// <summary>
/// Records what a job goes through in the controller, as spans of its trace: the whole of it, its submit, and for every attempt the wait in the queue, the placement and
/// what became of it. Follows commits, so that there is nothing in the rules for it. Of a trace that is not sampled nothing is kept, unless the job fails.
/// </summary>
/// <param name="store">Where the spans go.</param>
/// <param name="scheduler">When it began to look for the place that it then found.</param>
/// <param name="opened">The jobs that were live when the controller started.</param>
/// <param name="time">The clock.</param>
internal sealed class JobTracer(SpanStore store, SchedulerService scheduler, OpenedCluster opened, TimeProvider time) : ICommitListener
{
    /// <summary>Jobs that are followed at a time; of what is beyond it only failures are kept.</summary>
    private const int MostFollowed = 50_000;

    private readonly Lock _gate = new();
    private readonly Dictionary<long, FollowedJob> _jobs = [];
    private readonly HashSet<long> _heard = [];
    private long _newest = opened.State.Meta.NextJob - 1;
    private bool _resumed;

    public void OnCommitted(ClusterState state, Batch batch)
    {
        var now = time.GetUtcNow();
        lock (_gate)
        {
            Resume(state);
            foreach (var job in batch.Jobs.Values)
            {
                Begin(state, job, now);
            }

            _newest = Math.Max(_newest, state.Meta.NextJob - 1);

            foreach (var attempt in batch.Attempts.Values)
            {
                if (_jobs.TryGetValue(attempt.JobUid, out var followed))
                {
                    Follow(state, followed, attempt, now);
                }
            }

            foreach (var job in batch.Jobs.Values.Where(job => !job.IsLive))
            {
                End(state, job, now);
            }
        }

        foreach (var uid in batch.ArchivedJobs.Keys)
        {
            store.Forget(uid);
        }
    }

    /// <summary>The worker was sent what it needs to begin.</summary>
    public void Sent(ClusterState state, V1.Desired frame)
    {
        if (frame.Attempts.Count == 0)
        {
            return;
        }

        var now = time.GetUtcNow();
        lock (_gate)
        {
            foreach (var desired in frame.Attempts)
            {
                if (desired is not { State: V1.DesiredState.Run, Spec: not null } || state.Attempt(new Fence(desired.Fence)) is not { } attempt)
                {
                    continue;
                }

                // The frame may be made of a commit that this has not been told of yet.
                Begin(state, state.Jobs.Find(attempt.JobUid)!, now);
                if (_jobs.TryGetValue(attempt.JobUid, out var job))
                {
                    Follow(state, job, attempt, now);
                    if (job.Attempts.TryGetValue(attempt.Fence, out var followed))
                    {
                        HandOver(state, job, attempt, followed, now);
                    }
                }
            }
        }
    }

    /// <summary>Something is known of a job although its trace is not sampled: something in it failed. Then what the controller knows is kept, too.</summary>
    public void Heard(long jobUid)
    {
        lock (_gate)
        {
            if (!_jobs.ContainsKey(jobUid) && _heard.Count < MostFollowed)
            {
                _heard.Add(jobUid);
            }
        }
    }

    /// <summary>Jobs that were live when the controller started are followed on.</summary>
    private void Resume(ClusterState state)
    {
        if (_resumed)
        {
            return;
        }

        _resumed = true;
        var before = opened.State;
        foreach (var job in before.Jobs.Ascending().Where(job => job.IsLive))
        {
            if (JobTrace.Of(job) is not { IsSampled: true } trace || _jobs.Count >= MostFollowed)
            {
                continue;
            }

            var followed = new FollowedJob(trace, Wall(job.CreatedAt));
            _jobs.Add(job.Uid, followed);
            store.Add(new StoredSpan(job.Uid, IsOwn: true, SpanRank.Open, JobSpans.Job(before.Meta.ClusterId, trace, job)));
            for (var index = 0; index < job.Terms.Replicas; index++)
            {
                foreach (var fence in before.TaskOf(job, index)?.Attempts ?? [])
                {
                    if (before.Attempt(fence) is { IsLive: true } attempt)
                    {
                        followed.Attempts.Add(fence, new FollowedAttempt(Wall(attempt.PlacedAt)) { IsHandedOver = true });
                    }
                    else if (before.Attempt(fence) is { EndedAt: > 0 } ended)
                    {
                        followed.WaitsSince[index] = Wall(ended.EndedAt);
                    }
                }
            }
        }
    }

    private void Begin(ClusterState state, JobRecord job, DateTimeOffset now)
    {
        if (job.Uid <= _newest || _jobs.ContainsKey(job.Uid) || _jobs.Count >= MostFollowed || JobTrace.Of(job) is not { IsSampled: true } trace)
        {
            return;
        }

        _jobs.Add(job.Uid, new FollowedJob(trace, now));
        store.Add(new StoredSpan(job.Uid, IsOwn: true, SpanRank.Open, JobSpans.Job(state.Meta.ClusterId, trace, job)));
        Add(job.Uid, JobSpans.Submit(state.Meta.ClusterId, trace, job, now));
    }

    private void Follow(ClusterState state, FollowedJob job, AttemptRecord attempt, DateTimeOffset now)
    {
        if (!job.Attempts.TryGetValue(attempt.Fence, out var followed))
        {
            if (!attempt.IsLive)
            {
                return;
            }

            // The pass that found the place goes on until its decisions are on the disk, so it is the present one.
            var since = job.WaitsSince.GetValueOrDefault(attempt.TaskIndex, job.WaitsFrom);
            var decided = scheduler.PassStartedAt is var pass && pass > since && pass < now ? pass : since < now ? since : now;
            followed = new FollowedAttempt(decided);
            job.Attempts.Add(attempt.Fence, followed);
            Add(attempt.JobUid, JobSpans.Queue(state.Meta.ClusterId, job.Trace, attempt, since < decided ? since : decided, decided));
        }

        if (attempt.State != JobState.Building)
        {
            HandOver(state, job, attempt, followed, now);
        }

        if (!attempt.IsLive)
        {
            job.Attempts.Remove(attempt.Fence);
            job.WaitsSince[attempt.TaskIndex] = now;
            store.Add(new StoredSpan(
                attempt.JobUid, IsOwn: true, SpanRank.Presumed, JobSpans.Ended(JobSpans.Attempt(state, job.Trace, attempt, followed.HandedOverAt), attempt.State, attempt.Failure, now)));
        }
    }

    private void HandOver(ClusterState state, FollowedJob job, AttemptRecord attempt, FollowedAttempt followed, DateTimeOffset now)
    {
        if (followed.IsHandedOver)
        {
            return;
        }

        (followed.IsHandedOver, followed.HandedOverAt) = (true, now);
        Add(attempt.JobUid, JobSpans.Placement(state.Meta.ClusterId, job.Trace, attempt, followed.DecidedAt, now));
        store.Add(new StoredSpan(attempt.JobUid, IsOwn: true, SpanRank.Open, JobSpans.Attempt(state, job.Trace, attempt, now)));
    }

    private void End(ClusterState state, JobRecord job, DateTimeOffset now)
    {
        if (_jobs.Remove(job.Uid, out var followed))
        {
            Add(job.Uid, JobSpans.Ended(JobSpans.Job(state.Meta.ClusterId, followed.Trace, job), job.State, job.Failure, now));
        }
        else if ((job.State is not (JobState.Succeeded or JobState.Killed) || _heard.Contains(job.Uid)) && Wall(job.EndedAt) > now - TimeSpan.FromMinutes(1) && JobTrace.Of(job) is { } trace)
        {
            foreach (var span in JobSpans.Afterwards(state, trace, job, now))
            {
                Add(job.Uid, span);
            }
        }

        _heard.Remove(job.Uid);
    }

    private void Add(long jobUid, V1.Span span) => store.Add(new StoredSpan(jobUid, IsOwn: true, SpanRank.Ended, span));

    private static DateTimeOffset Wall(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);

    private sealed class FollowedJob(JobTrace trace, DateTimeOffset waitsFrom)
    {
        public JobTrace Trace { get; } = trace;

        /// <summary>When it could be placed for the first time.</summary>
        public DateTimeOffset WaitsFrom { get; } = waitsFrom;

        /// <summary>By task: when its last attempt ended.</summary>
        public Dictionary<int, DateTimeOffset> WaitsSince { get; } = [];

        /// <summary>Those that are live.</summary>
        public Dictionary<Fence, FollowedAttempt> Attempts { get; } = [];
    }

    private sealed class FollowedAttempt(DateTimeOffset decidedAt)
    {
        public DateTimeOffset DecidedAt { get; } = decidedAt;

        public bool IsHandedOver { get; set; }

        public DateTimeOffset HandedOverAt { get; set; } = decidedAt;
    }
}
