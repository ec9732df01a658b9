using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Aspire.Hosting.Dashboard;

/// <summary>What is true of every answer, and who is let through: nobody without a login, except to the login, the assets and, with a key of its own, telemetry.</summary>
internal static class RequestGate
{
    private const string Policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

    public static void Use(WebApplication app, BrowserLogin? login) => app.Use(next => async context =>
    {
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = Policy;
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers["Referrer-Policy"] = "same-origin"; // with "no-referrer", forms would come from the origin "null"
        headers.CacheControl = "no-store";
        var path = context.Request.Path;
        if (path.StartsWithSegments("/v1", StringComparison.Ordinal))
        {
            await next(context); // telemetry; checks its key itself
        }
        else if (HttpMethods.IsPost(context.Request.Method) && !IsFromHere(context.Request))
        {
            context.Response.StatusCode = StatusCodes.Status403Forbidden;
            await context.Response.WriteAsync("This form was sent from another site.");
        }
        else if (login is null || path == "/login" || path.StartsWithSegments("/assets", StringComparison.Ordinal) || login.IsLoggedIn(context))
        {
            await next(context);
        }
        else
        {
            context.Response.Redirect($"/login?returnUrl={Uri.EscapeDataString(path + context.Request.QueryString)}");
        }
    });

    // Cookies go along from other ports of this machine, too; browsers say where a form was.
    private static bool IsFromHere(HttpRequest request) =>
        request.Headers.Origin.Count == 0 || string.Equals(request.Headers.Origin, $"{request.Scheme}://{request.Host}", StringComparison.OrdinalIgnoreCase);
}
