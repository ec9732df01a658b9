using System.Collections.Immutable;

namespace Fluster.Controller;

/// <summary>Everything that can happen to a cluster. Ids and times come in here; the rules make none.</summary>
internal abstract record ClusterInput
{
    private ClusterInput()
    {
    }

    /// <param name="Id">As the client made it.</param>
    /// <param name="RequestId">The same one again returns the job that it made.</param>
    /// <param name="Namespace">Where the job counts.</param>
    /// <param name="Terms">What the rules need of the request.</param>
    /// <param name="Request">The whole request, serialized.</param>
    /// <param name="Trace">The submitter's trace context, serialized.</param>
    /// <param name="ParentFence">The attempt that submits; none when the submitter is not a job.</param>
    public sealed record SubmitJob(
        JobId Id, string RequestId, Namespace Namespace, JobTerms Terms, ReadOnlyMemory<byte> Request, ReadOnlyMemory<byte> Trace, Fence ParentFence)
        : ClusterInput;

    public sealed record TerminateJob(long JobUid, KillCause Cause) : ClusterInput;

    /// <summary>Goes on with stopping the children of a job whose tree was too big for one step.</summary>
    public sealed record StopChildren(long JobUid) : ClusterInput;

    /// <summary>Stops every live job from a uid on, some at a time.</summary>
    public sealed record StopAll(KillCause Cause, long From = 1) : ClusterInput;

    /// <summary>Stops every live job of this id and below it, some at a time: also those that outlive their parent.</summary>
    /// <param name="Prefix">An id; it need not be one of a job. <c>a/b</c> means <c>a/b</c> and <c>a/b/c</c>, never <c>a/bc</c>.</param>
    /// <param name="Namespace">Only in this namespace; null: in any.</param>
    /// <param name="Cause">Why.</param>
    /// <param name="From">The uid to begin at.</param>
    public sealed record StopWithin(JobId Prefix, Namespace? Namespace, KillCause Cause, long From = 1) : ClusterInput;

    /// <summary>A client terminates a job of an id that it made and that is not known: its create may still be on the way.</summary>
    /// <param name="Id">The id.</param>
    /// <param name="Namespace">Whose create is refused from now on; null: anybody's.</param>
    public sealed record TerminateUnknown(JobId Id, Namespace? Namespace) : ClusterInput;

    /// <summary>What the scheduler decided. Each one is checked again, and a stale one is dropped.</summary>
    public sealed record Place(ImmutableArray<Placement> Placements) : ClusterInput;

    /// <summary>
    /// What the scheduler decided for a whole gang: its tasks in order, one worker each (a worker may have several). All of them are placed in
    /// this one step, or none is: when any of them is stale, nothing changes. Half a gang is refused.
    /// </summary>
    /// <param name="JobUid">A job that has gangs.</param>
    /// <param name="FirstTask">The gang's first task: a multiple of <see cref="JobTerms.GangSize"/>.</param>
    /// <param name="Workers">As many as the gang has tasks.</param>
    public sealed record PlaceGang(long JobUid, int FirstTask, ImmutableArray<long> Workers) : ClusterInput;

    /// <summary>The scheduler wants room for a job: attempts of lower priorities are asked to stop. What no longer applies is left alone.</summary>
    public sealed record Preempt(long ForJob, ImmutableArray<Fence> Victims) : ClusterInput;

    /// <summary>A worker came, for the first time, again, or as a new incarnation.</summary>
    /// <param name="Worker">Which.</param>
    /// <param name="Incarnation">Larger at every start of the worker.</param>
    /// <param name="Traits">What it says of itself.</param>
    /// <param name="Holdings">Every attempt that it has something of.</param>
    /// <param name="Link">Larger with every link of one incarnation: what came over an older link says nothing any more. 0: not known.</param>
    /// <param name="Pass">By which machine of a backend it is let in; null: by a token of its own.</param>
    public sealed record Hello(WorkerId Worker, ulong Incarnation, WorkerTraits Traits, ImmutableArray<Observation> Holdings, long Link = 0, VmPass? Pass = null) : ClusterInput;

    /// <summary>What a worker saw of its attempts.</summary>
    /// <param name="WorkerUid">Who.</param>
    /// <param name="Incarnation">Which start of it; another than the current one changes nothing.</param>
    /// <param name="Seen">What it holds or has ended.</param>
    /// <param name="Missing">What it was told to hold, confirmed, and then left out of a complete set.</param>
    public sealed record Observe(long WorkerUid, ulong Incarnation, ImmutableArray<Observation> Seen, ImmutableArray<Fence> Missing) : ClusterInput;

    /// <summary>The lease tracker noticed something about a worker.</summary>
    public sealed record Silence(long WorkerUid, ulong Incarnation, WorkerEvent Event) : ClusterInput;

    /// <summary>Goes on with giving up the attempts of a lost worker.</summary>
    public sealed record GiveUpLost(long WorkerUid) : ClusterInput;

    /// <summary>Sends finished jobs to the archive, the oldest first, some at a time.</summary>
    /// <param name="Keep">Beyond so many.</param>
    /// <param name="Age">And those that ended so many milliseconds ago.</param>
    public sealed record ArchiveJobs(int Keep = 100_000, long Age = 30L * 24 * 60 * 60 * 1000) : ClusterInput;

    /// <summary>Somebody wants a worker to end once it holds nothing.</summary>
    /// <param name="WorkerUid">Which one.</param>
    /// <param name="Now">What it holds is stopped, to be tried again elsewhere.</param>
    public sealed record DrainWorker(long WorkerUid, bool Now) : ClusterInput;

    /// <summary>Something is due.</summary>
    public sealed record Tick : ClusterInput;

    public sealed record RegisterEndpoint(
        EndpointId Id, Namespace Namespace, string Name, string Address, ImmutableArray<KeyValuePair<string, string>> Metadata, EndpointOwner Owner)
        : ClusterInput;

    /// <param name="Id">Which one; removing one that is gone is fine.</param>
    /// <param name="Namespace">Only when it is in this namespace; null: in any.</param>
    public sealed record UnregisterEndpoint(EndpointId Id, Namespace? Namespace) : ClusterInput;

    /// <summary>A process that is no job came, to own endpoints, or came again.</summary>
    public sealed record OpenRegistration(RegistrationId Id, Namespace Namespace) : ClusterInput;

    /// <summary>It is still there.</summary>
    public sealed record HearRegistration(long RegistrationUid) : ClusterInput;

    /// <summary>It closed, or was silent for too long.</summary>
    public sealed record EndRegistration(long RegistrationUid, bool Lost) : ClusterInput;

    /// <summary>Somebody wants the tokens that a namespace has so far to stop counting.</summary>
    public sealed record RevokeTokens(Namespace Namespace) : ClusterInput;

    /// <summary>Somebody says that workers of another cluster, or of a later state of this one, are to be taken over.</summary>
    /// <param name="ClusterId">The cluster that they know.</param>
    /// <param name="Epoch">The highest epoch that one of them has seen.</param>
    /// <param name="Counter">The highest counter of a fence that one of them holds; 0 when none holds any.</param>
    public sealed record AdoptWorkers(string ClusterId, long Epoch, long Counter) : ClusterInput;

    /// <summary>What the planner of machines decided. Each wish is checked again, and a stale one is dropped.</summary>
    public sealed record RequestVms(ImmutableArray<VmWish> Wishes) : ClusterInput;

    /// <summary>Machines that have nothing to do, as the planner saw it. One that has something by now stays.</summary>
    public sealed record ReleaseIdleVms(ImmutableArray<long> Vms) : ClusterInput;

    /// <summary>A backend has answered the request for a machine.</summary>
    /// <param name="VmUid">Which one.</param>
    /// <param name="Failure">Null: it exists, or will.</param>
    public sealed record VmCreateEnded(long VmUid, VmFailure? Failure) : ClusterInput;

    /// <summary>A backend says that a machine which was to be removed is gone.</summary>
    public sealed record VmReleaseEnded(long VmUid) : ClusterInput;

    /// <summary>A backend says of a machine what makes it worthless: it is gone, stopped or taken away.</summary>
    /// <param name="VmUid">Which one.</param>
    /// <param name="Reason">What a person should read.</param>
    /// <param name="Failure">What it says about the place, if the machine was still being made; null: nothing.</param>
    public sealed record CondemnVm(long VmUid, string Reason, VmFailureKind? Failure = null) : ClusterInput;
}

/// <summary>By which machine of a backend a worker is let in.</summary>
/// <param name="Vm">The machine.</param>
/// <param name="IsFirst">With the machine's own token, and not yet with the credential that the worker is given for it.</param>
internal sealed record VmPass(VmId Vm, bool IsFirst);

/// <summary>A machine that the planner wants.</summary>
/// <param name="Id">Its name.</param>
/// <param name="RequestId">The same for every try at making it.</param>
/// <param name="Backend">Whose it is to be.</param>
/// <param name="Traits">What and where.</param>
internal sealed record VmWish(VmId Id, Guid RequestId, string Backend, VmTraits Traits)
{
    /// <summary>Workers that it will have.</summary>
    public int Workers { get; init; } = 1;

    /// <summary>The job that waits for it; 0: none, it is one of those that are always to be there.</summary>
    public long ForJob { get; init; }

    /// <summary>Milliseconds until all its workers must have come.</summary>
    public long BootTimeout { get; init; } = 300_000;

    /// <summary>Milliseconds for which it may do nothing.</summary>
    public long IdleFor { get; init; } = 300_000;

    /// <summary>Machines that its backend may have in all.</summary>
    public int Most { get; init; } = int.MaxValue;
}

/// <summary>Why a machine was not made.</summary>
/// <param name="Kind">In a word.</param>
/// <param name="Message">What a person should read.</param>
/// <param name="Scope">What it is about; empty: only this request.</param>
/// <param name="RetryAfter">Milliseconds that the backend asks to wait; 0: it does not say.</param>
internal sealed record VmFailure(VmFailureKind Kind, string Message, string Scope = "", long RetryAfter = 0);

/// <summary>One decision of the scheduler.</summary>
internal readonly record struct Placement(long JobUid, int TaskIndex, long WorkerUid);

/// <summary>What a worker says of one attempt.</summary>
internal sealed record Observation(Fence Fence, AttemptPhase Phase)
{
    public ImmutableArray<PortRecord> Ports { get; init; } = [];

    /// <summary>With <see cref="AttemptPhase.Ended"/>; null then means that the worker cannot say.</summary>
    public AttemptOutcome? Outcome { get; init; }

    /// <summary>With <see cref="AttemptPhase.Ended"/>: how it ended is known, and some process of it cannot be killed.</summary>
    public bool Undead { get; init; }
}

/// <summary>How far an attempt is on its worker. Numbers are those of the wire.</summary>
internal enum AttemptPhase
{
    Preparing = 1,
    Running = 2,
    Ended = 3,
}

/// <summary>How an attempt ended, as its worker tells it.</summary>
/// <param name="Failure">Null: it succeeded.</param>
/// <param name="Result">What it returned; null when nothing.</param>
/// <param name="Logs">What it wrote.</param>
internal sealed record AttemptOutcome(JobFailure? Failure, ResultRecord? Result, LogTotalsRecord Logs);
