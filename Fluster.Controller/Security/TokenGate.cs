using System.Text.Json;
using Grpc.Core;

namespace Fluster.Controller;

/// <summary>
/// Stands before everything that the controller serves: without a valid token that allows the call, nothing behind it runs. The answer
/// fits the protocol of the caller.
/// </summary>
internal sealed class TokenGate(RequestDelegate next, TokenCheck tokens, SessionCookie cookie)
{
    private const string Bearer = "Bearer ";

    public Task InvokeAsync(HttpContext context)
    {
        var path = context.Request.Path.Value ?? "";
        if (AccessRules.IsOpen(context.Request.Method, path))
        {
            return next(context);
        }

        if (ProtocolVersion.Problem(context.Request.Headers[ProtocolVersion.Metadata]) is { } mismatch)
        {
            return RefuseAsync(context, StatusCode.FailedPrecondition, mismatch);
        }

        if (TokenOf(context, path) is not { } token)
        {
            return DashboardLogin.SendThere(context, path) ? Task.CompletedTask : RefuseAsync(context, StatusCode.Unauthenticated, "This needs a token: send 'authorization: Bearer TOKEN'.");
        }

        if (tokens.Check(token, context.Connection.RemoteIpAddress, out var refusal) is not { } caller)
        {
            return refusal.StatusCode == StatusCode.Unauthenticated && DashboardLogin.SendThere(context, path) ? Task.CompletedTask : RefuseAsync(context, refusal.StatusCode, refusal.Detail);
        }

        if (!AccessRules.Knows(path))
        {
            return RefuseAsync(context, StatusCode.Unimplemented, $"This controller has no {path}.");
        }

        if (!AccessRules.Allows(path, caller.Claims.Role))
        {
            return RefuseAsync(context, StatusCode.PermissionDenied, $"A token of the role '{caller.Claims.Role}' does not allow {path}.");
        }

        if (caller.Pass is { IsFirst: true } && AccessRules.NeedsCredential(path))
        {
            return RefuseAsync(context, StatusCode.PermissionDenied, $"The token of machine '{caller.Claims.Vm}' does not allow {path}: its worker has to say Hello with it, and gets a credential.");
        }

        context.Features.Set(caller);
        return next(context);
    }

    /// <summary>The token in the header of a call; null: there is none.</summary>
    public static string? BearerOf(HttpContext context)
    {
        string? header = context.Request.Headers.Authorization;
        return header?.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) == true ? header[Bearer.Length..].Trim() : null;
    }

    /// <summary>What a caller shows: a header, or, for the pages, the cookie of a browser that has logged in.</summary>
    private string? TokenOf(HttpContext context, string path)
    {
        return context.Request.Headers.Authorization.Count > 0 ? BearerOf(context)
            : AccessRules.IsPage(path) ? cookie.Read(context)
            : null;
    }

    private static Task RefuseAsync(HttpContext context, StatusCode code, string message)
    {
        var response = context.Response;
        if (code == StatusCode.ResourceExhausted)
        {
            response.Headers[CallRates.TryAgainHeader] = CallRates.TryAgainAfter;
        }

        if (context.Request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true)
        {
            response.StatusCode = StatusCodes.Status200OK;
            response.ContentType = "application/grpc";
            response.Headers["grpc-status"] = ((int)code).ToString();
            response.Headers["grpc-message"] = Uri.EscapeDataString(message);
            return Task.CompletedTask;
        }

        var (status, name) = code switch
        {
            StatusCode.Unauthenticated => (StatusCodes.Status401Unauthorized, "unauthenticated"),
            StatusCode.PermissionDenied => (StatusCodes.Status403Forbidden, "permission_denied"),
            StatusCode.Unimplemented => (StatusCodes.Status404NotFound, "unimplemented"),
            StatusCode.ResourceExhausted => (StatusCodes.Status429TooManyRequests, "resource_exhausted"),
            _ => (StatusCodes.Status400BadRequest, "failed_precondition"),
        };
        response.StatusCode = status;
        response.ContentType = "application/json";
        if (status == StatusCodes.Status401Unauthorized)
        {
            response.Headers.WWWAuthenticate = "Bearer";
        }

        return response.WriteAsync(JsonSerializer.Serialize(new Dictionary<string, string>(StringComparer.Ordinal) { ["code"] = name, ["message"] = message }));
    }
}
