using Grpc.Core;
using Microsoft.AspNetCore.Http.Features;

namespace Fluster.Controller;

/// <summary>What all pages have in common: headers, where a form may come from, and what is said when something is refused.</summary>
internal sealed class PageFilter(SessionCookie cookie) : IEndpointFilter
{
    /// <summary>Sent by the pages' own script when it asks for news.</summary>
    public const string LiveHeader = "X-Live";

    private const int LongestForm = 1 << 20;

    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext invocation, EndpointFilterDelegate next)
    {
        var context = invocation.HttpContext;
        Protect(context.Response.Headers);
        var page = PageContext.Of(context);
        try
        {
            if (HttpMethods.IsPost(context.Request.Method) && await ForgeryAsync(context) is { } forgery)
            {
                return page.ShowProblem(StatusCodes.Status403Forbidden, forgery);
            }

            return await next(invocation);
        }
        catch (RpcException refused)
        {
            return Refused(page, refused.Status);
        }
        catch (ClusterRejectedException rejected)
        {
            return Refused(page, RejectionInterceptor.StatusOf(rejected));
        }
        catch (BadHttpRequestException bad)
        {
            return page.ShowProblem(bad.StatusCode, bad.Message);
        }
    }

    /// <summary>The fields of a form, read once.</summary>
    /// <exception cref="BadHttpRequestException">It is none, or too long.</exception>
    public static async Task<IFormCollection> FormOf(HttpContext context, int longest = LongestForm)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = longest;
        }

        try
        {
            return context.Request.HasFormContentType
                ? await context.Request.ReadFormAsync(context.RequestAborted)
                : throw new BadHttpRequestException("This takes a form.", StatusCodes.Status415UnsupportedMediaType);
        }
        catch (InvalidDataException wrong)
        {
            throw new BadHttpRequestException(wrong.Message, StatusCodes.Status400BadRequest, wrong);
        }
    }

    /// <summary>After a form: the browser asks for a page, so that loading it again sends nothing twice.</summary>
    public static IResult SeeOther(string path) => new SeeOtherResult(path);

    private static void Protect(IHeaderDictionary headers)
    {
        headers.ContentSecurityPolicy = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers["Referrer-Policy"] = "same-origin";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers.CacheControl = "no-store";
    }

    /// <summary>Why a form is not believed to come from a page of this controller; null: it does.</summary>
    private async Task<string?> ForgeryAsync(HttpContext context)
    {
        var request = context.Request;
        var elsewhere = request.Headers["Sec-Fetch-Site"].ToString() is not ("" or "same-origin" or "none")
            || request.Headers.Origin.ToString() is { Length: > 0 } origin && !(Uri.TryCreate(origin, UriKind.Absolute, out var from) && from.Authority == request.Host.Value);
        if (elsewhere)
        {
            return "This form was sent by a page of somebody else.";
        }

        return request.Path == DashboardLogin.Path || cookie.IsFormToken(context, (await FormOf(context))[PageContext.FormField])
            ? null
            : "This form is not of the session that you are logged in with: go back, load the page again and repeat it.";
    }

    private static IResult Refused(PageContext page, Status status) => page.ShowProblem(
        status.StatusCode switch
        {
            StatusCode.NotFound => StatusCodes.Status404NotFound,
            StatusCode.PermissionDenied => StatusCodes.Status403Forbidden,
            StatusCode.InvalidArgument => StatusCodes.Status400BadRequest,
            StatusCode.Unavailable => StatusCodes.Status503ServiceUnavailable,
            _ => StatusCodes.Status409Conflict,
        },
        status.Detail);

    private sealed class SeeOtherResult(string path) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.StatusCode = StatusCodes.Status303SeeOther;
            httpContext.Response.Headers.Location = path;
            return Task.CompletedTask;
        }
    }
}
