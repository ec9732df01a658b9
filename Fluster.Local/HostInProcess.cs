using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fluster.Local;

/// <summary>What a host inside somebody else's process leaves to that process: its signals and its console.</summary>
internal static class HostInProcess
{
    public static void Prepare(IServiceCollection services, ILoggerFactory? loggers)
    {
        services.AddSingleton<IHostLifetime, NoLifetime>();
        services.AddSingleton(loggers ?? NullLoggerFactory.Instance);
    }

    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

/// <summary>Tokens of a cluster inside a process.</summary>
internal static class Tokens
{
    /// <summary>Fills in issue and expiry.</summary>
    public static string Sign(ClusterKey key, TokenClaims claims, TimeSpan lifetime)
    {
        var now = TimeProvider.System.GetUtcNow();
        return key.Sign(claims with { IssuedAt = now.ToUnixTimeSeconds(), ExpiresAt = (now + lifetime).ToUnixTimeSeconds() });
    }
}
