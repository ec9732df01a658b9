namespace Fluster.Controller;

/// <summary>Registrations come, are heard of, and end with all their endpoints.</summary>
internal static class RegistrationRules
{
    /// <summary>Milliseconds for which the id of an ended registration is known as one that has ended.</summary>
    private const long Remembered = 10 * 60_000;

    public static StepResult Open(StepDraft draft, ClusterInput.OpenRegistration input)
    {
        if (draft.View.FindRegistration(input.Id) is var uid and not 0)
        {
            var known = draft.FindRegistration(uid)!;
            return known switch
            {
                { Ended: true } => HasEnded(known),
                _ when known.Namespace != input.Namespace => StepDraft.Rejected(RejectionKind.AlreadyExists, $"The registration id '{input.Id}' is taken."),
                _ => draft.Accepted(uid, existed: true),
            };
        }

        var meta = draft.Meta;
        var registration = new RegistrationRecord { Uid = meta.NextRegistration, Id = input.Id, Namespace = input.Namespace, OpenedAt = draft.Now.Wall };
        draft.Meta = meta with { NextRegistration = meta.NextRegistration + 1 };
        draft.Put(registration);
        return draft.Accepted(registration.Uid);
    }

    /// <summary>Changes nothing: that it came through at all is what the lease tracker counts.</summary>
    public static StepResult Hear(StepDraft draft, ClusterInput.HearRegistration input) => draft.FindRegistration(input.RegistrationUid) switch
    {
        null => StepDraft.Rejected(RejectionKind.NotFound, "There is no such registration."),
        { Ended: true } ended => HasEnded(ended),
        _ => draft.Accepted(input.RegistrationUid),
    };

    public static StepResult End(StepDraft draft, ClusterInput.EndRegistration input)
    {
        if (draft.FindRegistration(input.RegistrationUid) is not { Ended: false } registration)
        {
            return draft.Accepted();
        }

        draft.Put(registration with { Ended = true, ForgetDue = draft.Now.Time + Remembered });
        EndpointRules.RemoveAllOf(draft, registration.Owner);
        return draft.Accepted(registration.Uid);
    }

    public static void Forget(StepDraft draft, long uid)
    {
        if (draft.FindRegistration(uid) is { Ended: true } registration)
        {
            draft.Remove(registration);
        }
    }

    public static StepResult HasEnded(RegistrationRecord registration) => StepDraft.Rejected(
        RejectionKind.FailedPrecondition, $"The registration '{registration.Id}' has ended, and its endpoints with it: open another one.");
}
