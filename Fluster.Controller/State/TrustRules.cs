namespace Fluster.Controller;

/// <summary>Whose tokens count, and whose workers are this cluster's.</summary>
internal static class TrustRules
{
    /// <summary>They are written with every commit. Whoever revokes more is better served by a new key.</summary>
    private const int MostRevoked = 1_000;

    private const int MostAdopted = 100;

    /// <summary>An epoch has 24 bits in a fence, and a counter 40. Far below both, so that what a worker says cannot use them up.</summary>
    public const long HighestEpoch = 1L << 23;

    public const long HighestCounter = 1L << 39;

    public static StepResult Revoke(StepDraft draft, ClusterInput.RevokeTokens input)
    {
        var revoked = draft.Meta.RevokedBefore;
        var name = input.Namespace.ToString();
        if (revoked.Count >= MostRevoked && !revoked.ContainsKey(name))
        {
            return StepDraft.Rejected(RejectionKind.ResourceExhausted, $"Tokens of {MostRevoked} namespaces are revoked already; give the cluster a new key to revoke all that there are.");
        }

        // Times of issue are whole seconds: of those of this second nobody knows whether they came before.
        var before = draft.Now.Wall / 1000 + 1;
        if (before > revoked.GetValueOrDefault(name))
        {
            draft.Meta = draft.Meta with { RevokedBefore = revoked.SetItem(name, before) };
        }

        return draft.Accepted();
    }

    public static StepResult Adopt(StepDraft draft, ClusterInput.AdoptWorkers input)
    {
        var meta = draft.Meta;
        if (input.Epoch is < 0 or >= HighestEpoch || input.Counter is < 0 or >= HighestCounter)
        {
            return StepDraft.Rejected(RejectionKind.InvalidArgument, $"A worker that says it has seen epoch {input.Epoch} and attempt number {input.Counter} cannot be taken over.");
        }

        var adopted = input.ClusterId == meta.ClusterId ? meta.Adopted : meta.Adopted.Add(input.ClusterId);
        if (adopted.Count > MostAdopted)
        {
            return StepDraft.Rejected(RejectionKind.ResourceExhausted, $"This cluster has taken over the workers of {MostAdopted} others already.");
        }

        // Every fence from now on is above all that those workers have started.
        var after = meta with
        {
            Adopted = adopted,
            Epoch = Math.Max(meta.Epoch, input.Epoch + 1),
            NextAttempt = Math.Max(meta.NextAttempt, input.Counter + 1),
        };
        if (after != meta)
        {
            draft.Meta = after;
        }

        return draft.Accepted();
    }
}
