using System.Diagnostics;

namespace Fluster.Controller;

/// <summary>
/// The rules of the cluster. Pure: what a step does depends only on its arguments, and it changes nothing but what it returns. No clock, no
/// I/O, no random numbers, no logger; what is observable is sorted ordinally.
/// </summary>
internal static class ClusterMachine
{
    /// <summary>Jobs or attempts that one step deals with before it leaves the rest to a following one (5 ms is the most that a step may take).</summary>
    public const int MostWork = 256;

    public static StepResult Step(ClusterView view, ClusterInput input, ClusterNow now)
    {
        var draft = new StepDraft(view, now);
        return input switch
        {
            ClusterInput.SubmitJob submit => JobRules.Submit(draft, submit),
            ClusterInput.TerminateJob terminate => JobRules.Terminate(draft, terminate),
            ClusterInput.StopChildren stop => JobRules.StopChildren(draft, stop),
            ClusterInput.StopAll stop => StopRules.All(draft, stop),
            ClusterInput.StopWithin stop => StopRules.Within(draft, stop),
            ClusterInput.TerminateUnknown terminate => StopRules.Unknown(draft, terminate),
            ClusterInput.Place place => AttemptRules.Place(draft, place),
            ClusterInput.PlaceGang place => GangRules.Place(draft, place),
            ClusterInput.Preempt preempt => PreemptionRules.Preempt(draft, preempt),
            ClusterInput.Hello hello => WorkerRules.Hello(draft, hello),
            ClusterInput.Observe observe => WorkerRules.Observe(draft, observe),
            ClusterInput.Silence silence => WorkerRules.Silence(draft, silence),
            ClusterInput.GiveUpLost lost => WorkerRules.GiveUpLost(draft, lost),
            ClusterInput.ArchiveJobs archive => ArchiveRules.Archive(draft, archive),
            ClusterInput.DrainWorker drain => WorkerRules.Drain(draft, drain),
            ClusterInput.Tick => DueRules.Tick(draft),
            ClusterInput.RegisterEndpoint register => EndpointRules.Register(draft, register),
            ClusterInput.UnregisterEndpoint unregister => EndpointRules.Unregister(draft, unregister),
            ClusterInput.OpenRegistration open => RegistrationRules.Open(draft, open),
            ClusterInput.HearRegistration heard => RegistrationRules.Hear(draft, heard),
            ClusterInput.EndRegistration end => RegistrationRules.End(draft, end),
            ClusterInput.RevokeTokens revoke => TrustRules.Revoke(draft, revoke),
            ClusterInput.AdoptWorkers adopt => TrustRules.Adopt(draft, adopt),
            ClusterInput.RequestVms request => VmRules.Request(draft, request),
            ClusterInput.ReleaseIdleVms release => VmRules.ReleaseIdle(draft, release),
            ClusterInput.VmCreateEnded ended => VmRules.CreateEnded(draft, ended),
            ClusterInput.VmReleaseEnded ended => VmRules.ReleaseEnded(draft, ended),
            ClusterInput.CondemnVm condemn => VmRules.Condemn(draft, condemn),
            _ => throw new UnreachableException($"There is no rule for {input.GetType().Name}."),
        };
    }
}
