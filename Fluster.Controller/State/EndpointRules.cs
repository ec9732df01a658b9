namespace Fluster.Controller;

/// <summary>Endpoints live exactly as long as the attempt that registered them.</summary>
internal static class EndpointRules
{
    public static StepResult Register(StepDraft draft, ClusterInput.RegisterEndpoint input)
    {
        if (draft.FindAttempt(input.Owner) is not { } owner)
        {
            return StepDraft.Rejected(RejectionKind.NotFound, $"There is no attempt {input.Owner} to own endpoint '{input.Id}'.");
        }

        var job = draft.Job(owner.JobUid);
        if (!owner.IsLive || owner.IsStopping || job.Stopping)
        {
            var why = !owner.IsLive ? "has ended" : "is stopping";
            return StepDraft.Rejected(RejectionKind.FailedPrecondition, $"The attempt {input.Owner} of job '{job.Id}' {why}: it cannot register endpoints.");
        }

        if (job.Namespace != input.Namespace)
        {
            return StepDraft.Rejected(RejectionKind.PermissionDenied, $"Job '{job.Id}' registers endpoints in its own namespace, which is '{job.Namespace}'.");
        }

        if (draft.View.FindEndpoint(input.Id) is { } known)
        {
            return known.OwnerFence == input.Owner && known.Name == input.Name && known.Address == input.Address
                ? draft.Accepted(known.Uid, existed: true)
                : StepDraft.Rejected(RejectionKind.AlreadyExists, $"The endpoint id '{input.Id}' is taken.");
        }

        var endpoint = new EndpointRecord
        {
            Uid = draft.Meta.NextEndpoint,
            Id = input.Id,
            Namespace = input.Namespace,
            Name = input.Name,
            Address = input.Address,
            OwnerJob = job.Id,
            OwnerFence = input.Owner,
            Metadata = input.Metadata,
            RegisteredAt = draft.Now.Wall,
        };
        draft.Add(endpoint);
        return draft.Accepted(endpoint.Uid);
    }

    public static StepResult Unregister(StepDraft draft, ClusterInput.UnregisterEndpoint input)
    {
        if (draft.View.FindEndpoint(input.Id) is not { } endpoint || input.Namespace is { } only && endpoint.Namespace != only)
        {
            return draft.Accepted();
        }

        draft.Remove(endpoint);
        return draft.Accepted(endpoint.Uid);
    }

    /// <summary>Removes what an attempt registered, in the order of the ids.</summary>
    public static void RemoveAllOf(StepDraft draft, Fence owner)
    {
        foreach (var endpoint in draft.View.EndpointsOf(owner).OrderBy(endpoint => endpoint.Id.ToString(), StringComparer.Ordinal))
        {
            draft.Remove(endpoint);
        }
    }
}
