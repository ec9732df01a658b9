namespace Fluster.Controller;

/// <summary>Endpoints live exactly as long as the attempt or the registration that owns them.</summary>
internal static class EndpointRules
{
    /// <summary>What one owner may register: all of it goes in one step when the owner ends, and a step is short.</summary>
    public const int MostOfOneOwner = 1_000;

    public static StepResult Register(StepDraft draft, ClusterInput.RegisterEndpoint input)
    {
        if (Refusal(draft, input, out var job) is { } refusal)
        {
            return refusal;
        }

        if (draft.View.FindEndpoint(input.Id) is { } known)
        {
            return known.Owner == input.Owner && known.Name == input.Name && known.Address == input.Address
                ? draft.Accepted(known.Uid, existed: true)
                : StepDraft.Rejected(RejectionKind.AlreadyExists, $"The endpoint id '{input.Id}' is taken.");
        }

        if (draft.View.EndpointsOf(input.Owner).Count >= MostOfOneOwner)
        {
            return StepDraft.Rejected(RejectionKind.ResourceExhausted, $"One attempt or registration can have {MostOfOneOwner} endpoints.");
        }

        var endpoint = new EndpointRecord
        {
            Uid = draft.Meta.NextEndpoint,
            Id = input.Id,
            Namespace = input.Namespace,
            Name = input.Name,
            Address = input.Address,
            Owner = input.Owner,
            OwnerJob = job?.Id,
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

        draft.Remove(endpoint, ActionKinds.EndpointUnregistered);
        return draft.Accepted(endpoint.Uid);
    }

    /// <summary>Removes what an owner registered, in the order of the ids.</summary>
    public static void RemoveAllOf(StepDraft draft, EndpointOwner owner)
    {
        const int WorthOne = 8;
        var why = owner.Registration is null ? ActionKinds.EndpointRemovedJobTerminated : ActionKinds.EndpointRemovedRegistrationEnded;
        var endpoints = draft.View.EndpointsOf(owner);
        foreach (var endpoint in endpoints.OrderBy(endpoint => endpoint.Id.ToString(), StringComparer.Ordinal))
        {
            draft.Remove(endpoint, why);
        }

        draft.Work += endpoints.Count / WorthOne;
    }

    /// <summary>Why the owner cannot register; null when it can, and then its job if it is an attempt.</summary>
    private static StepResult? Refusal(StepDraft draft, ClusterInput.RegisterEndpoint input, out JobRecord? job)
    {
        job = null;
        if (input.Owner.Registration is { } id)
        {
            return (draft.View.FindRegistration(id) is var uid and not 0 ? draft.FindRegistration(uid) : null) switch
            {
                null => StepDraft.Rejected(RejectionKind.NotFound, $"There is no registration '{id}' to own endpoint '{input.Id}'."),
                { Ended: true } ended => RegistrationRules.HasEnded(ended),
                var live when live.Namespace != input.Namespace => StepDraft.Rejected(
                    RejectionKind.PermissionDenied, $"Registration '{id}' registers endpoints in its own namespace, which is '{live.Namespace}'."),
                _ => null,
            };
        }

        if (draft.FindAttempt(input.Owner.Fence) is not { } owner)
        {
            return StepDraft.Rejected(RejectionKind.NotFound, $"There is no attempt {input.Owner.Fence} to own endpoint '{input.Id}'.");
        }

        job = draft.Job(owner.JobUid);
        if (!owner.IsLive || owner.IsStopping || job.Stopping)
        {
            var why = !owner.IsLive ? "has ended" : "is stopping";
            return StepDraft.Rejected(RejectionKind.FailedPrecondition, $"The attempt {input.Owner.Fence} of job '{job.Id}' {why}: it cannot register endpoints.");
        }

        return job.Namespace == input.Namespace
            ? null
            : StepDraft.Rejected(RejectionKind.PermissionDenied, $"Job '{job.Id}' registers endpoints in its own namespace, which is '{job.Namespace}'.");
    }
}
