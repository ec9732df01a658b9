using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Fluster.Backends;

/// <summary>Requests to Google's APIs: signed, tried again where that does no harm, and refused with a <see cref="GcpApiException"/>.</summary>
internal sealed class GcpConnection : IDisposable
{
    /// <summary>Addresses of Google's servers change.</summary>
    private static readonly TimeSpan s_connectionLife = TimeSpan.FromMinutes(5);

    private readonly HttpClient _http;

    /// <param name="tokens">Where tokens come from.</param>
    /// <param name="retry">How long requests are tried.</param>
    /// <param name="time">The clock by which they wait.</param>
    /// <param name="transport">What carries them. Default: sockets.</param>
    public GcpConnection(IAccessTokenSource tokens, GcpRetry? retry = null, TimeProvider? time = null, HttpMessageHandler? transport = null)
    {
        Retry = retry ?? new GcpRetry();
        Time = time ?? TimeProvider.System;
        var sockets = transport ?? new SocketsHttpHandler { PooledConnectionLifetime = s_connectionLife, AutomaticDecompression = DecompressionMethods.GZip, AllowAutoRedirect = false };
        _http = new HttpClient(new AuthHandler(tokens, new RetryHandler(Retry, Time, sockets)))
        {
            Timeout = Timeout.InfiniteTimeSpan, // each try has a limit of its own
        };
    }

    public GcpRetry Retry { get; }

    public TimeProvider Time { get; }

    /// <summary>The connection that settings ask for.</summary>
    public static GcpConnection For(GcpOptions options, TimeProvider? time = null) =>
        new(options.AccessToken.Length > 0 ? new FixedAccessToken(options.AccessToken) : new GoogleAccessToken(), time: time);

    public Task<TAnswer> GetAsync<TAnswer>(Uri uri, JsonTypeInfo<TAnswer> answer, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, uri, body: null, answer, isRepeatable: true, cancellationToken);

    /// <summary>What is there; null when Google says that it is not.</summary>
    public async Task<TAnswer?> FindAsync<TAnswer>(Uri uri, JsonTypeInfo<TAnswer> answer, CancellationToken cancellationToken)
        where TAnswer : class
    {
        try
        {
            return await GetAsync(uri, answer, cancellationToken);
        }
        catch (GcpApiException exception) when (exception.IsNotFound)
        {
            return null;
        }
    }

    public Task<TAnswer> DeleteAsync<TAnswer>(Uri uri, JsonTypeInfo<TAnswer> answer, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Delete, uri, body: null, answer, isRepeatable: true, cancellationToken);

    /// <param name="method">POST or PATCH.</param>
    /// <param name="uri">Where to.</param>
    /// <param name="body">What is sent.</param>
    /// <param name="type">Its type.</param>
    /// <param name="answer">The type of the answer.</param>
    /// <param name="cancellationToken">Stops the wait.</param>
    public Task<TAnswer> SendAsync<TBody, TAnswer>(HttpMethod method, Uri uri, TBody body, JsonTypeInfo<TBody> type, JsonTypeInfo<TAnswer> answer, CancellationToken cancellationToken)
    {
        var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, type));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return SendAsync(method, uri, content, answer, isRepeatable: false, cancellationToken);
    }

    /// <summary>A POST that only asks.</summary>
    public Task<TAnswer> AskAsync<TAnswer>(Uri uri, JsonTypeInfo<TAnswer> answer, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, uri, body: null, answer, isRepeatable: true, cancellationToken);

    public void Dispose() => _http.Dispose();

    private async Task<TAnswer> SendAsync<TAnswer>(HttpMethod method, Uri uri, HttpContent? body, JsonTypeInfo<TAnswer> answer, bool isRepeatable, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, uri) { Content = body };
        request.Options.Set(RetryHandler.IsRepeatable, isRepeatable);
        using var response = await _http.SendAsync(request, cancellationToken);
        if (!response.IsSuccessStatusCode)
        {
            throw GcpApiException.FromAnswer(response.StatusCode, await response.Content.ReadAsStringAsync(cancellationToken), RetryHandler.RetryAfter(response, Time));
        }

        try
        {
            var read = await JsonSerializer.DeserializeAsync(await response.Content.ReadAsStreamAsync(cancellationToken), answer, cancellationToken);
            return read ?? throw new GcpApiException("", $"{uri.Host} answered null.") { IsUnanswered = true };
        }
        catch (JsonException exception)
        {
            throw new GcpApiException("", $"What {uri.Host} answered cannot be read: {exception.Message}", exception) { IsUnanswered = true };
        }
    }
}
