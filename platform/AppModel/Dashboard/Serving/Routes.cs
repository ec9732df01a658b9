using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Aspire.Hosting.Dashboard;

/// <summary>Routes whose handlers take the request as it is: nothing is compiled at the start, as it would be for handlers with parameters.</summary>
internal static class Routes
{
    public static void Get(this WebApplication app, string pattern, Func<HttpContext, Task<IResult>> handler) => app.MapGet(pattern, Answer(handler));

    public static void Post(this WebApplication app, string pattern, Func<HttpContext, Task<IResult>> handler) => app.MapPost(pattern, Answer(handler));

    private static RequestDelegate Answer(Func<HttpContext, Task<IResult>> handler) => async context =>
    {
        var result = await handler(context);
        await result.ExecuteAsync(context);
    };
}
