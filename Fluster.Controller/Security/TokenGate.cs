using System.Text.Json;
using Grpc.Core;

namespace Fluster.Controller;

/// <summary>
/// Stands before everything that the controller serves: without a valid token that allows the call, nothing behind it runs. The answer
/// fits the protocol of the caller.
/// </summary>
internal sealed class TokenGate(RequestDelegate next, TokenVerifier verifier, CallRates rates, ClusterLoop loop)
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

        string? header = context.Request.Headers.Authorization;
        if (header is null || !header.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase))
        {
            return RefuseAsync(context, StatusCode.Unauthenticated, "This needs a token: send 'authorization: Bearer TOKEN'.");
        }

        var token = header[Bearer.Length..].Trim();
        if (verifier.Known(token) is not { } caller)
        {
            var address = context.Connection.RemoteIpAddress;
            if (rates.Refusal(address) is { } tooOften)
            {
                return RefuseAsync(context, StatusCode.ResourceExhausted, tooOften);
            }

            if (verifier.Verify(token, out var problem) is not { } verified)
            {
                rates.Failed(address);
                return RefuseAsync(context, StatusCode.Unauthenticated, problem ?? "The token is not one of this cluster.");
            }

            caller = verified;
        }

        if (rates.Refusal(caller) is { } tooMany)
        {
            return RefuseAsync(context, StatusCode.ResourceExhausted, tooMany);
        }

        if (Withdrawn(caller) is { } withdrawn)
        {
            return RefuseAsync(context, StatusCode.Unauthenticated, withdrawn);
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

    /// <summary>Why a token that is signed and has not expired does not count all the same.</summary>
    private string? Withdrawn(Caller caller)
    {
        var state = loop.Current;
        if (caller.IsJob && state.Attempt(caller.Fence) is not { IsLive: true })
        {
            return $"The token counts while attempt {caller.Fence} of job '{caller.Claims.Job}' is live, and it has ended.";
        }

        if (caller.Pass is { } pass && (caller.Claims.VmUid is not { } uid || state.Vms.Find(uid) is not { } vm || vm.Id != pass.Vm))
        {
            return $"The token counts while machine '{pass.Vm}' is one of this cluster's, and it is not any more.";
        }

        return caller.IsOfNamespace && state.Meta.RevokedBefore.TryGetValue(caller.Namespace.ToString(), out var before) && caller.Claims.IssuedAt < before
            ? $"The tokens of namespace '{caller.Namespace}' that were issued before {DateTimeOffset.FromUnixTimeSeconds(before):yyyy-MM-dd HH:mm:ss} UTC were revoked: ask for a new one."
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
