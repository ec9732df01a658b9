using AppModel.Pages;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Aspire.Hosting.Dashboard;

/// <summary>The list of resources, the page of one, and their commands.</summary>
internal sealed class ResourcePages(ResourceBoard board, CommandDesk desk, PageWriter pages, Frames frames)
{
    public void Map(WebApplication app)
    {
        app.Get("/", ListAsync);
        app.Get("/resources/{id}", ShowAsync);
        app.Post("/resources/{id}/commands/{command}", CommandAsync);
    }

    private Task<IResult> ListAsync(HttpContext context) => pages.DrawAsync<ResourcesPage>(
        new() { ["Frame"] = frames.Of(context, "/"), ["Groups"] = board.Groups(), ["Notices"] = desk.Notices });

    private Task<IResult> ShowAsync(HttpContext context)
    {
        var id = (string)context.Request.RouteValues["id"]!;
        return board.Details(id) is { } details
            ? pages.DrawAsync<ResourcePage>(new() { ["Frame"] = frames.Of(context, "/resources"), ["Details"] = details })
            : frames.MissingAsync(context, $"There is no resource '{id}'.");
    }

    private async Task<IResult> CommandAsync(HttpContext context)
    {
        var (id, command) = ((string)context.Request.RouteValues["id"]!, (string)context.Request.RouteValues["command"]!);
        var form = await context.Request.ReadFormAsync(context.RequestAborted);
        if (board.Confirmation(id, command) is not null && form["confirmed"] != "1")
        {
            return await frames.MessageAsync(context, "Not done", $"The command '{command}' of '{id}' has to be confirmed.", StatusCodes.Status409Conflict);
        }

        await desk.RunAsync(id, command);
        return Results.LocalRedirect(BrowserLogin.LocalPath(form["return"]));
    }
}
