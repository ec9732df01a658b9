using System.Net;
using System.Net.Http.Headers;

namespace Fluster.Backends;

/// <summary>Sends a token with every request, and another one when it was refused.</summary>
internal sealed class AuthHandler(IAccessTokenSource tokens, HttpMessageHandler inner) : DelegatingHandler(inner)
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", await tokens.GetAsync(isRefused: false, cancellationToken));
        var response = await base.SendAsync(request, cancellationToken);
        if (response.StatusCode != HttpStatusCode.Unauthorized)
        {
            return response;
        }

        response.Dispose();
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", await tokens.GetAsync(isRefused: true, cancellationToken));
        return await base.SendAsync(request, cancellationToken);
    }
}

/// <summary>How long requests are tried.</summary>
internal sealed record GcpRetry
{
    /// <summary>Default: 6.</summary>
    public int Tries { get; init; } = 6;

    /// <summary>The wait after the first try; doubles. Default: 1 s.</summary>
    public TimeSpan First { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest wait. Default: 30 s.</summary>
    public TimeSpan Longest { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The least wait when there were too many requests. Google counts by the minute. Default: 10 s.</summary>
    public TimeSpan RateLimit { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The longest time for one try. Above the two minutes for which Google holds a wait for an operation. Default: 150 s.</summary>
    public TimeSpan TryTimeout { get; init; } = TimeSpan.FromSeconds(150);
}

/// <summary>
/// Tries again what may succeed then and does no harm twice: always when there were too many requests; after server errors and lost connections only
/// what reads or deletes, and what carries a request id. Bodies are buffered, so that every try sends the same.
/// </summary>
internal sealed class RetryHandler(GcpRetry retry, TimeProvider time, HttpMessageHandler inner) : DelegatingHandler(inner)
{
    /// <summary>Set on requests that do no harm twice although they look so.</summary>
    public static readonly HttpRequestOptionsKey<bool> IsRepeatable = new("fluster.repeatable");

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var mayRepeat = MayRepeat(request);
        for (var attempt = 1; ; attempt++)
        {
            TimeSpan? wait;
            try
            {
                var response = await TryAsync(request, cancellationToken);
                if (response.IsSuccessStatusCode || attempt >= retry.Tries || await WaitAfterAsync(response, attempt, mayRepeat, cancellationToken) is not { } asked)
                {
                    return response;
                }

                response.Dispose();
                wait = asked;
            }
            catch (Exception exception) when (IsLost(exception, cancellationToken))
            {
                if (attempt >= retry.Tries || !mayRepeat)
                {
                    throw new GcpApiException("", $"{request.RequestUri?.Host} does not answer: {(exception.InnerException ?? exception).Message}", exception) { IsUnanswered = true };
                }

                wait = Pause(attempt);
            }

            await Task.Delay(wait.Value, time, cancellationToken);
        }
    }

    private static bool MayRepeat(HttpRequestMessage request) =>
        request.Method == HttpMethod.Get || request.Method == HttpMethod.Delete
        || request.RequestUri?.Query.Contains("requestId=", StringComparison.Ordinal) == true
        || request.Options.TryGetValue(IsRepeatable, out var isRepeatable) && isRepeatable;

    private static bool IsLost(Exception exception, CancellationToken cancellationToken) =>
        exception is HttpRequestException or IOException || exception is OperationCanceledException && !cancellationToken.IsCancellationRequested;

    private async Task<HttpResponseMessage> TryAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(retry.TryTimeout);
        var response = await base.SendAsync(request, limit.Token);
        try
        {
            // An answer that breaks off is one that did not come.
            await response.Content.LoadIntoBufferAsync(limit.Token);
            return response;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    /// <summary>How long to wait before the next try; null when there is to be none.</summary>
    private async Task<TimeSpan?> WaitAfterAsync(HttpResponseMessage response, int attempt, bool mayRepeat, CancellationToken cancellationToken)
    {
        if (response.StatusCode is not (HttpStatusCode.TooManyRequests or HttpStatusCode.Forbidden or HttpStatusCode.RequestTimeout) && (int)response.StatusCode < 500)
        {
            return null;
        }

        var error = GcpApiException.FromAnswer(response.StatusCode, await response.Content.ReadAsStringAsync(cancellationToken), RetryAfter(response, time));
        return error switch
        {
            { IsStockout: true } or { IsQuota: true } => null, // these last
            { IsRateLimit: true } => Longer(error.RetryAfter, Longer(retry.RateLimit, Pause(attempt))),
            { IsTransient: true } when mayRepeat => Longer(error.RetryAfter, Pause(attempt)),
            _ => null,
        };
    }

    /// <summary>How long the other side asks to wait; null where it does not say.</summary>
    public static TimeSpan? RetryAfter(HttpResponseMessage response, TimeProvider time) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } when date > time.GetUtcNow() => date - time.GetUtcNow(),
        _ => null,
    };

    private TimeSpan Pause(int attempt)
    {
        var pause = retry.First * Math.Pow(2, Math.Min(attempt - 1, 20));
#pragma warning disable CA5394 // Spreads load; nothing secret comes of it.
        return (pause < retry.Longest ? pause : retry.Longest) * (1 - Random.Shared.NextDouble() / 4);
#pragma warning restore CA5394
    }

    private static TimeSpan Longer(TimeSpan? left, TimeSpan right) => left is { } wait && wait > right ? wait : right;
}
