namespace Fluster.Controller;

/// <summary>Signs the tokens that the controller hands out.</summary>
internal sealed class TokenIssuer(ClusterKey key, TimeProvider time)
{
    private static readonly TimeSpan s_jobLifetime = TimeSpan.FromHours(24);
    private static readonly TimeSpan s_workerLifetime = TimeSpan.FromDays(30);
    private static readonly TimeSpan s_adminLifetime = TimeSpan.FromDays(30);

    public string PublicKey { get; } = key.ExportPublicPem();

    /// <summary>For the processes of one attempt.</summary>
    public string ForAttempt(JobRecord job, AttemptRecord attempt) => Sign(s_jobLifetime, new TokenClaims
    {
        Role = TokenRoles.Job,
        Namespace = job.Namespace.ToString(),
        Job = job.Id.ToString(),
        Task = attempt.TaskIndex,
        Fence = attempt.Fence.Value,
        ExpiresAt = 0,
    });

    public string ForWorker(WorkerId worker) => Sign(s_workerLifetime, new TokenClaims { Role = TokenRoles.Worker, Worker = worker.ToString(), ExpiresAt = 0 });

    public string ForAdmin() => Sign(s_adminLifetime, new TokenClaims { Role = TokenRoles.Admin, Namespace = Namespace.Default.ToString(), ExpiresAt = 0 });

    private string Sign(TimeSpan lifetime, TokenClaims claims)
    {
        var now = time.GetUtcNow();
        return key.Sign(claims with { IssuedAt = now.ToUnixTimeSeconds(), ExpiresAt = (now + lifetime).ToUnixTimeSeconds() });
    }
}
