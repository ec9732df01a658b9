namespace Fluster.Controller;

/// <summary>Who makes a call, as the token says.</summary>
internal sealed record Caller(TokenClaims Claims)
{
    public bool IsAdmin => Claims.Role == TokenRoles.Admin;

    /// <summary>Somebody who runs the cluster or a service on it, and not a job.</summary>
    public bool IsOperator => Claims.Role is TokenRoles.Admin or TokenRoles.Service;

    public bool IsJob => Claims.Role == TokenRoles.Job;

    /// <summary>Whether the token stands for one namespace, and so falls when that namespace's tokens are revoked.</summary>
    public bool IsOfNamespace => Claims.Role is TokenRoles.Job or TokenRoles.Service;

    /// <summary>Who the token stands for, in words. Callers of one subject share what they may do in a second.</summary>
    public string Subject { get; } = Claims.Role switch
    {
        TokenRoles.Job => $"job '{Claims.Job}'",
        TokenRoles.Worker => Claims.Worker is null ? $"machine '{Claims.Vm}'" : $"worker '{Claims.Worker}'",
        TokenRoles.Service => $"services of namespace '{Claims.Namespace}'",
        _ => $"the role {Claims.Role}",
    };

    /// <summary>The machine of a backend whose worker calls; null: it is on none.</summary>
    public VmPass? Pass { get; } = Claims is { Role: TokenRoles.Worker, Vm: { } vm } ? new VmPass(VmId.Parse(vm), Claims.IsFirst == true) : null;

    /// <summary>The attempt that calls; none for others than jobs.</summary>
    public Fence Fence => new(Claims.Fence ?? 0);

    /// <summary>The namespace of what the caller does without naming one.</summary>
    public Namespace Namespace { get; } = Namespace.IsValid(Claims.Namespace) ? Namespace.Parse(Claims.Namespace!) : Namespace.Default;

    /// <summary>Whether the caller may see and change what is in a namespace.</summary>
    public bool MayUse(Namespace @namespace) => IsAdmin || @namespace == Namespace;
}
