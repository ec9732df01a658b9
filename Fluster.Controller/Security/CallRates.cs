using System.Net;
using System.Net.Sockets;
using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;

namespace Fluster.Controller;

/// <summary>
/// How often one caller may call, and how often one address may show tokens that are none: so that a program that runs wild, or somebody who
/// guesses, does not take the controller from everybody else. A bucket per subject of a token, of a second's calls.
/// </summary>
internal sealed class CallRates(IOptions<ControllerOptions> options) : IDisposable
{
    /// <summary>What gRPC calls the header by which a server says that the same call may be sent again later, in milliseconds.</summary>
    public const string TryAgainHeader = "grpc-retry-pushback-ms";

    /// <summary>After which a caller has some calls again.</summary>
    public const string TryAgainAfter = "200";

    private const double ShortestPeriod = 0.1;

    private readonly PartitionedRateLimiter<Caller> _calls = PartitionedRateLimiter.Create<Caller, string>(caller => PartitionOf(caller.Subject, LimitOf(options.Value, caller).Calls), StringComparer.Ordinal);
    private readonly PartitionedRateLimiter<IPAddress> _failures = PartitionedRateLimiter.Create<IPAddress, IPAddress>(address => PartitionOf(address, options.Value.FailedCallsPerSecond));

    /// <summary>Counts a call.</summary>
    /// <returns>Why it is refused; null: it is not.</returns>
    public string? Refusal(Caller caller)
    {
        using var lease = _calls.AttemptAcquire(caller);
        if (lease.IsAcquired)
        {
            return null;
        }

        var (calls, setting) = LimitOf(options.Value, caller);
        return $"More than {calls} calls a second by {caller.Subject} ({ControllerOptions.Section}:{setting}): try again in a moment.";
    }

    /// <summary>Why a token that is not known is not even looked at; null: it is.</summary>
    public string? Refusal(IPAddress? address)
    {
        // To ask for none would be granted for a part of a call, too.
        return _failures.GetStatistics(NetworkOf(address)) is not { CurrentAvailablePermits: 0 } ? null : $"More than {options.Value.FailedCallsPerSecond} calls a second without a valid token from {address} ({ControllerOptions.Section}:{nameof(ControllerOptions.FailedCallsPerSecond)}): try again in a moment.";
    }

    /// <summary>Counts a token that was none.</summary>
    public void Failed(IPAddress? address) => _failures.AttemptAcquire(NetworkOf(address)).Dispose();

    public void Dispose()
    {
        _calls.Dispose();
        _failures.Dispose();
    }

    private static (int Calls, string Setting) LimitOf(ControllerOptions options, Caller caller) => caller.IsOperator
        ? (options.CallsPerSecond, nameof(ControllerOptions.CallsPerSecond))
        : (options.JobCallsPerSecond, nameof(ControllerOptions.JobCallsPerSecond));

    private static RateLimitPartition<TKey> PartitionOf<TKey>(TKey key, int perSecond)
    {
        if (perSecond == 0)
        {
            return RateLimitPartition.GetNoLimiter(key);
        }

        var period = Math.Max(ShortestPeriod, 1.0 / perSecond);
        return RateLimitPartition.GetTokenBucketLimiter(key, _ => new TokenBucketRateLimiterOptions
        {
            TokenLimit = perSecond,
            TokensPerPeriod = Math.Max(1, (int)(perSecond * period)),
            ReplenishmentPeriod = TimeSpan.FromSeconds(period),
            QueueLimit = 0,
        });
    }

    /// <summary>Who has one address of version 6 has 2^64 of them.</summary>
    private static IPAddress NetworkOf(IPAddress? address)
    {
        if (address is not { AddressFamily: AddressFamily.InterNetworkV6, IsIPv4MappedToIPv6: false })
        {
            return address ?? IPAddress.None;
        }

        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        bytes[8..].Clear();
        return new IPAddress(bytes);
    }
}
