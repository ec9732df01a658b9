using System.Net;
using Grpc.Core;

namespace Fluster.Controller;

/// <summary>Whether somebody who shows a token comes in, and if not, why: for calls and for the login of the pages.</summary>
internal sealed class TokenCheck(TokenVerifier verifier, CallRates rates, ClusterLoop loop)
{
    /// <summary>The caller of a token that counts now; null: <paramref name="refusal"/> says why not.</summary>
    /// <param name="token">What was shown.</param>
    /// <param name="address">From where. Who shows tokens that are none, often, is not looked at for a while.</param>
    /// <param name="refusal">Why it does not count.</param>
    public Caller? Check(string token, IPAddress? address, out Status refusal)
    {
        refusal = Status.DefaultSuccess;
        if (verifier.Known(token) is not { } caller)
        {
            if (rates.Refusal(address) is { } tooOften)
            {
                refusal = new Status(StatusCode.ResourceExhausted, tooOften);
                return null;
            }

            if (verifier.Verify(token, out var problem) is not { } verified)
            {
                rates.Failed(address);
                refusal = new Status(StatusCode.Unauthenticated, problem ?? "The token is not one of this cluster.");
                return null;
            }

            caller = verified;
        }

        if (rates.Refusal(caller) is { } tooMany)
        {
            refusal = new Status(StatusCode.ResourceExhausted, tooMany);
            return null;
        }

        if (Withdrawn(caller) is { } withdrawn)
        {
            refusal = new Status(StatusCode.Unauthenticated, withdrawn);
            return null;
        }

        return caller;
    }

    /// <summary>Why a token that is signed and has not expired does not count all the same.</summary>
    private string? Withdrawn(Caller caller)
    {
        var state = loop.Current;
        if (caller.IsJob && state.Attempt(caller.Fence) is not { IsLive: true })
        {
            return $"The token counts while attempt {caller.Fence} of job '{caller.Claims.Job}' is live, and it has ended.";
        }

        if (caller.Pass is { } pass && (caller.Claims.VmUid is not { } uid || state.Vms.Find(uid) is not { } vm || vm.Id != pass.Vm))
        {
            return $"The token counts while machine '{pass.Vm}' is one of this cluster's, and it is not any more.";
        }

        return caller.IsOfNamespace && state.Meta.RevokedBefore.TryGetValue(caller.Namespace.ToString(), out var before) && caller.Claims.IssuedAt < before
            ? $"The tokens of namespace '{caller.Namespace}' that were issued before {DateTimeOffset.FromUnixTimeSeconds(before):yyyy-MM-dd HH:mm:ss} UTC were revoked: ask for a new one."
            : null;
    }
}
