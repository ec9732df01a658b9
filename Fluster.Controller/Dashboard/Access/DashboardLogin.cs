using Grpc.Core;

namespace Fluster.Controller;

/// <summary>How a browser comes in and goes out.</summary>
internal sealed class DashboardLogin(TokenCheck tokens, SessionCookie cookie, LoginCodes codes)
{
    public const string Path = "/login";

    private const int LongestForm = 16 << 10;
    private const int LongestNext = 2_000;

    private static readonly PageHead s_head = new("Log in");

    /// <summary>Sends a browser without a token to the login, from where it comes back. False: it is no browser that asks.</summary>
    public static bool SendThere(HttpContext context, string path)
    {
        if (!AccessRules.IsPage(path) || !context.Request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase) && !context.Request.Headers.ContainsKey(PageFilter.LiveHeader))
        {
            return false;
        }

        var next = HttpMethods.IsGet(context.Request.Method) ? path + context.Request.QueryString : "/";
        context.Response.Headers.CacheControl = "no-store";
        context.Response.StatusCode = StatusCodes.Status303SeeOther;
        context.Response.Headers.Location = next is "/" or { Length: > LongestNext } ? Path : $"{Path}?next={Uri.EscapeDataString(next)}";
        return true;
    }

    /// <summary>The page that asks for a token; with a code that a command line was given, the way in.</summary>
    public IResult Show(HttpContext context, PageContext page, string? next, string? code)
    {
        if (string.IsNullOrEmpty(code))
        {
            return page.ShowAlone(s_head, LoginPage.Draw(LocalPath(next)));
        }

        return codes.Take(code) is not { } token
            ? Again(page, next, StatusCodes.Status401Unauthorized, "This link has been used, or is older than a minute: ask for another one with 'fluster cluster dashboard'.")
            : Enter(context, page, token, next);
    }

    /// <summary>Takes the token of the form.</summary>
    public async Task<IResult> EnterAsync(HttpContext context, PageContext page)
    {
        var form = await PageFilter.FormOf(context, LongestForm);
        return Enter(context, page, form["token"].ToString().Trim(), form["next"]);
    }

    public IResult Leave(HttpContext context)
    {
        cookie.Delete(context);
        return PageFilter.SeeOther(Path);
    }

    private IResult Enter(HttpContext context, PageContext page, string token, string? next)
    {
        if (token.Length == 0)
        {
            return Again(page, next, StatusCodes.Status400BadRequest, "Paste a token.");
        }

        if (tokens.Check(token, context.Connection.RemoteIpAddress, out var refusal) is not { } caller)
        {
            return refusal.StatusCode == StatusCode.ResourceExhausted
                ? Again(page, next, StatusCodes.Status429TooManyRequests, "Too many tokens that are none came from your address: try again in a moment.")
                : Again(page, next, StatusCodes.Status401Unauthorized, $"This token does not open the dashboard. {refusal.Detail}");
        }

        if (!caller.IsOperator)
        {
            return Again(page, next, StatusCodes.Status403Forbidden, $"A token of the role '{caller.Claims.Role}' does not open the dashboard: it takes one of the role admin or service.");
        }

        cookie.Write(context, token, DateTimeOffset.FromUnixTimeSeconds(caller.Claims.ExpiresAt));
        return PageFilter.SeeOther(LocalPath(next));
    }

    private static IResult Again(PageContext page, string? next, int status, string problem) =>
        page.ShowAlone(s_head, LoginPage.Draw(LocalPath(next), problem), status);

    /// <summary>Where to go on: a path of this controller and nowhere else, whatever the address says.</summary>
    internal static string LocalPath(string? next) =>
        next is { Length: > 0 and <= LongestNext } && next[0] == '/' && !next.StartsWith("//", StringComparison.Ordinal) && !next.Any(letter => letter == '\\' || char.IsControl(letter)) && !next.StartsWith(Path, StringComparison.Ordinal)
            ? next
            : "/";
}
