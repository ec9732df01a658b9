using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Fluster.GcpEmulator;

/// <summary>What every request to the APIs goes through: a token, the faults that were asked for, errors in Google's shape.</summary>
internal sealed class EmulatorRequests(EmulatedCloud cloud, TimeProvider time, RequestDelegate next)
{
    private const string OperationFailureItem = "operation-failure";

    public async Task InvokeAsync(HttpContext context)
    {
        var path = context.Request.Path.Value ?? "";
        var isTpu = path.StartsWith("/v2/", StringComparison.Ordinal);
        if (!isTpu && !path.StartsWith("/compute/", StringComparison.Ordinal))
        {
            await next(context);
            return;
        }

        try
        {
            var failure = await AdmitAsync(context, path);
            switch (failure?.Mode)
            {
                case "drop":
                    context.Abort();
                    return;
                case "drop-after":
                    await WithoutAnswerAsync(context);
                    context.Abort();
                    return;
                case "status-after":
                    await WithoutAnswerAsync(context);
                    throw failure.ToException();
                case "status":
                    throw failure.ToException();
                case "operation" or "operation-leave":
                    context.Items[OperationFailureItem] = failure;
                    break;
            }

            await next(context);
        }
        catch (EmulatorException refusal)
        {
            await AnswerAsync(context, isTpu ? refusal.AsTpu() : refusal, isTpu);
        }
        catch (JsonException exception)
        {
            await AnswerAsync(context, new EmulatorException(400, "parseError", $"Invalid JSON payload received. {exception.Message}"), isTpu);
        }
    }

    /// <summary>The failure that this request's operation is to have; null for none.</summary>
    public static FailNext? OperationFailure(HttpContext context) => context.Items[OperationFailureItem] as FailNext;

    /// <summary>Reads a body.</summary>
    /// <exception cref="JsonException">It is none of that type.</exception>
    public static async Task<T> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type) =>
        await JsonSerializer.DeserializeAsync(context.Request.Body, type, context.RequestAborted) ?? throw new JsonException("The body is null.");

    /// <summary>Answers with what is found or done under the lock.</summary>
    public static IResult Answer<T>(EmulatedCloud cloud, JsonTypeInfo<T> type, Func<T> act)
    {
        lock (cloud.Gate)
        {
            cloud.Advance();
            return Results.Text(JsonSerializer.Serialize(act(), type), "application/json");
        }
    }

    /// <summary>One page of a list, and the token of the next; null when there is none.</summary>
    public static (IReadOnlyList<T> Items, string? Next) Page<T>(EmulatedCloud cloud, HttpContext context, string sizeName, IEnumerable<T> all)
    {
        var asked = int.TryParse(context.Request.Query[sizeName], NumberStyles.None, CultureInfo.InvariantCulture, out var size) && size > 0 ? size : 500;
        var most = Math.Min(asked, cloud.Faults.MostPerPage);
        var skip = context.Request.Query.TryGetValue("pageToken", out var token) && token is not [null or ""] ? Skip(token) : 0;
        var items = all.Skip(skip).Take(most + 1).ToList();
        return items.Count > most ? (items[..most], $"page-{skip + most}") : (items, null);
    }

    private static int Skip(StringValues token) =>
        token.ToString() is var text && text.StartsWith("page-", StringComparison.Ordinal) && int.TryParse(text.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out var skip)
            ? skip
            : throw EmulatorException.Invalid("pageToken", text, "The page token is invalid.");

    private async Task<FailNext?> AdmitAsync(HttpContext context, string path)
    {
        var latency = cloud.Faults.RequestLatency;
        if (latency > TimeSpan.Zero)
        {
            await Task.Delay(latency, time, context.RequestAborted);
        }

        lock (cloud.Gate)
        {
            var authorization = context.Request.Headers.Authorization.ToString();
            if (!authorization.StartsWith("Bearer ", StringComparison.Ordinal) || cloud.Faults.IsRefused(authorization["Bearer ".Length..]))
            {
                throw new EmulatorException(401, "authError", "Request had invalid authentication credentials.");
            }

            return cloud.Faults.TakeTooMany() is { } tooMany ? throw tooMany : cloud.Faults.Take(context.Request.Method, path);
        }
    }

    /// <summary>Does what was asked, and keeps the answer.</summary>
    private async Task WithoutAnswerAsync(HttpContext context)
    {
        var body = context.Response.Body;
        context.Response.Body = Stream.Null;
        try
        {
            await next(context);
        }
        finally
        {
            context.Response.Body = body;
            context.Response.Headers.Clear();
        }
    }

    private static async Task AnswerAsync(HttpContext context, EmulatorException refusal, bool isTpu)
    {
        context.Response.Clear();
        context.Response.StatusCode = refusal.Status;
        context.Response.ContentType = "application/json";
        if (refusal.RetryAfterSeconds is { } seconds)
        {
            context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }

        await context.Response.WriteAsync(JsonSerializer.Serialize(refusal.Body(isTpu), GcpJson.Default.GoogleErrorBody), context.RequestAborted);
    }
}
