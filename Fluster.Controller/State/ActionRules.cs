namespace Fluster.Controller;

/// <summary>Finds what a step comes to for the action log, by what is different after it: no rule can forget to say so.</summary>
internal static class ActionRules
{
    public static void Note(List<ActionRecord> actions, JobRecord? before, JobRecord after, ClusterNow now)
    {
        if (before is null)
        {
            actions.Add(Of(ActionKinds.JobSubmitted, after, "", now));
        }

        if (after.Stopping && before?.Stopping != true)
        {
            actions.Add(Of(ActionKinds.JobStopping, after, after.Failure?.Message ?? "", now));
        }

        if (before is null ? after.State != JobState.Pending : before.State != after.State)
        {
            actions.Add(Of(ActionKinds.Of(after.State), after, after.State.IsTerminal ? after.Failure?.Message ?? "" : "", now));
        }
    }

    public static void Note(List<ActionRecord> actions, WorkerRecord? before, WorkerRecord after, ClusterNow now)
    {
        if (before is null || before.Incarnation != after.Incarnation)
        {
            actions.Add(new ActionRecord(before is null ? ActionKinds.WorkerRegistered : ActionKinds.WorkerRestarted, now.Wall) { WorkerId = after.Id });
        }

        if (before is not null && before.State != after.State)
        {
            actions.Add(new ActionRecord(ActionKinds.Of(after.State), now.Wall) { WorkerId = after.Id });
        }

        if (after.Draining && before?.Draining != true)
        {
            actions.Add(new ActionRecord(ActionKinds.WorkerDraining, now.Wall) { WorkerId = after.Id });
        }

        if (after.QuarantinedUntil > now.Time && before?.QuarantinedUntil != after.QuarantinedUntil)
        {
            actions.Add(new ActionRecord(ActionKinds.WorkerQuarantined, now.Wall) { WorkerId = after.Id });
        }
    }

    public static void Note(List<ActionRecord> actions, VmRecord? before, VmRecord after, ClusterNow now)
    {
        if (before?.State != after.State)
        {
            actions.Add(Of(ActionKinds.Of(after.State), after, now));
        }
    }

    public static ActionRecord Of(string kind, VmRecord vm, ClusterNow now) =>
        new(kind, now.Wall) { Details = $"{vm.Id}: {vm.Traits.Text} of {vm.Backend}{(vm.Reason.Length > 0 ? $", {vm.Reason}" : "")}" };

    public static ActionRecord Of(string kind, EndpointRecord endpoint, ClusterNow now) => new(kind, now.Wall)
    {
        Namespace = endpoint.Namespace,
        JobId = endpoint.OwnerJob,
        EndpointId = endpoint.Id,
        Details = $"{endpoint.Name} at {endpoint.Address}",
    };

    private static ActionRecord Of(string kind, JobRecord job, string details, ClusterNow now) => new(kind, now.Wall) { Namespace = job.Namespace, JobId = job.Id, Details = details };
}
