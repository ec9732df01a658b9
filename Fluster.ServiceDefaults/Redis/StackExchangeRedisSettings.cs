namespace Aspire.StackExchange.Redis;

/// <summary>How to reach a Redis server. Bound from <c>Aspire:StackExchange:Redis</c>, then <c>Aspire:StackExchange:Redis:{name}</c>.</summary>
public sealed class StackExchangeRedisSettings
{
    /// <summary>A StackExchange.Redis configuration string. Default: <c>ConnectionStrings:{name}</c>.</summary>
    public string? ConnectionString { get; set; }

    /// <summary>Whether the health check is left out. Default: false.</summary>
    public bool DisableHealthChecks { get; set; }
}
