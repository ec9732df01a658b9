using AppModel.Pages;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Aspire.Hosting.Dashboard;

/// <summary>The way in: the link that the AppHost prints, or the same token in a form.</summary>
internal sealed class LoginPages(BrowserLogin? login, PageWriter pages, string application)
{
    public void Map(WebApplication app)
    {
        app.Get("/login", GetAsync);
        app.Post("/login", PostAsync);
        app.MapPost("/logout", context =>
        {
            login?.LogOut(context);
            context.Response.Redirect("/login");
            return Task.CompletedTask;
        });
    }

    private Task<IResult> GetAsync(HttpContext context)
    {
        var query = context.Request.Query;
        var goOn = BrowserLogin.LocalPath(query["returnUrl"]);
        return login is null ? Task.FromResult(Results.LocalRedirect(goOn))
            : query.TryGetValue("t", out var token) ? AnswerAsync(context, token, goOn, "The token of this link is not the one of this AppHost. It prints the right link when it starts.")
            : login.IsLoggedIn(context) ? Task.FromResult(Results.LocalRedirect(goOn))
            : DrawAsync(context, goOn, problem: null);
    }

    private async Task<IResult> PostAsync(HttpContext context)
    {
        var form = await context.Request.ReadFormAsync(context.RequestAborted);
        return await AnswerAsync(context, form["token"], BrowserLogin.LocalPath(form["returnUrl"]), "This is not the token of this AppHost. It prints the right one when it starts.");
    }

    private async Task<IResult> AnswerAsync(HttpContext context, string? token, string goOn, string problem)
    {
        if (login is not null && !login.Accepts(token))
        {
            return await DrawAsync(context, goOn, problem);
        }

        login?.LogIn(context);
        // After a link on another site, browsers keep a strict cookie back from the redirect too; going on from a page of this site, they send it.
        return context.Request.Headers["Sec-Fetch-Site"] == "cross-site"
            ? await pages.DrawAsync<LoginPage>(new() { ["Application"] = application, ["Theme"] = Theme.Of(context), ["Continue"] = goOn })
            : Results.LocalRedirect(goOn);
    }

    private Task<IResult> DrawAsync(HttpContext context, string goOn, string? problem) => pages.DrawAsync<LoginPage>(
        new() { ["Application"] = application, ["Theme"] = Theme.Of(context), ["Problem"] = problem, ["ReturnUrl"] = goOn },
        problem is null ? StatusCodes.Status200OK : StatusCodes.Status401Unauthorized);
}

/// <summary>The colours that the visitor chose.</summary>
internal static class Theme
{
    public static string Of(HttpContext context) => context.Request.Cookies["theme"] is "light" or "dark" ? context.Request.Cookies["theme"]! : "";
}
