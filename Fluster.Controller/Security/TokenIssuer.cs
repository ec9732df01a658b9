using Microsoft.Extensions.Options;

namespace Fluster.Controller;

/// <summary>Signs the tokens that the controller hands out.</summary>
internal sealed class TokenIssuer(ClusterKey key, TimeProvider time, IOptions<ControllerOptions> options, ServerCertificate? certificate = null)
{
    private static readonly TimeSpan s_jobLifetime = TimeSpan.FromHours(24);
    private static readonly TimeSpan s_adminLifetime = TimeSpan.FromDays(30);
    private static readonly TimeSpan s_callLifetime = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_bootMargin = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan s_adoptionLifetime = TimeSpan.FromMinutes(5);

    public string PublicKey { get; } = key.ExportPublicPem();

    /// <summary>How long the token of a worker lasts; it is renewed in half that time.</summary>
    public TimeSpan WorkerLifetime { get; } = options.Value.WorkerTokenLifetime;

    /// <summary>For the processes of one attempt.</summary>
    /// <param name="job">Whose attempt.</param>
    /// <param name="attempt">The attempt.</param>
    /// <param name="state">Knows what was revoked: in the second of a revocation, the token is dated after it.</param>
    public (string Token, DateTimeOffset ExpiresAt) ForAttempt(JobRecord job, AttemptRecord attempt, ClusterState state)
    {
        var @namespace = job.Namespace.ToString();
        var now = time.GetUtcNow();
        var claims = new TokenClaims
        {
            Role = TokenRoles.Job,
            Namespace = @namespace,
            Job = job.Id.ToString(),
            Task = attempt.TaskIndex,
            Fence = attempt.Fence.Value,
            IssuedAt = Math.Max(now.ToUnixTimeSeconds(), state.Meta.RevokedBefore.GetValueOrDefault(@namespace)),
            ExpiresAt = (now + s_jobLifetime).ToUnixTimeSeconds(),
        };
        return (key.Sign(claims with { CertificateHash = certificate?.Hash }), DateTimeOffset.FromUnixTimeSeconds(claims.ExpiresAt));
    }

    /// <param name="worker">Who it is for.</param>
    /// <param name="vm">The machine of a backend that it is on: the token falls with it. Null: none.</param>
    public string ForWorker(WorkerId worker, VmRecord? vm = null) => Sign(WorkerLifetime, new TokenClaims
    {
        Role = TokenRoles.Worker,
        Worker = worker.ToString(),
        Vm = vm?.Id.ToString(),
        VmUid = vm?.Uid,
        ExpiresAt = 0,
    });

    /// <summary>Lets the workers of a machine in for the first time. It lies where others may come by it, so it is good for nothing once they have credentials of their own.</summary>
    /// <param name="vm">The machine.</param>
    /// <param name="bootTimeout">How long the machine may take.</param>
    public string ForVm(VmRecord vm, TimeSpan bootTimeout) => Sign(bootTimeout + s_bootMargin, new TokenClaims
    {
        Role = TokenRoles.Worker,
        Vm = vm.Id.ToString(),
        VmUid = vm.Uid,
        IsFirst = true,
        ExpiresAt = 0,
    });

    public string ForAdmin() => Sign(s_adminLifetime, new TokenClaims { Role = TokenRoles.Admin, Namespace = Namespace.Default.ToString(), ExpiresAt = 0 });

    /// <summary>With which somebody who looks at the pages calls what a job serves: for a namespace, and for a minute.</summary>
    public string ForCall(string @namespace) => Sign(s_callLifetime, new TokenClaims { Role = TokenRoles.Service, Namespace = @namespace, ExpiresAt = 0 });

    /// <summary>Tells a worker that it may leave its cluster for this one. It checks that with the key it knows.</summary>
    public string ForAdoption(WorkerId worker, string fromCluster, string toCluster) => Sign(s_adoptionLifetime, new TokenClaims
    {
        Role = TokenRoles.Adoption,
        Subject = fromCluster,
        Worker = worker.ToString(),
        Cluster = toCluster,
        ExpiresAt = 0,
    });

    private string Sign(TimeSpan lifetime, TokenClaims claims)
    {
        var now = time.GetUtcNow();
        return key.Sign(claims with { CertificateHash = certificate?.Hash, IssuedAt = now.ToUnixTimeSeconds(), ExpiresAt = (now + lifetime).ToUnixTimeSeconds() });
    }
}
