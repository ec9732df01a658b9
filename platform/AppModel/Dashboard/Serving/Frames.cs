using AppModel.Pages;
using Microsoft.AspNetCore.Http;

namespace Aspire.Hosting.Dashboard;

/// <summary>What is around pages, and pages that only say something.</summary>
internal sealed class Frames(string application, bool hasLogin, RunArchive runs, PageWriter pages)
{
    public FrameModel Of(HttpContext context, string path) => new(application, path, Theme.Of(context), runs.Asked(context), runs.Earlier, hasLogin);

    public Task<IResult> MissingAsync(HttpContext context, string text) => MessageAsync(context, "Not found", text, StatusCodes.Status404NotFound);

    public Task<IResult> MessageAsync(HttpContext context, string title, string text, int status) => pages.DrawAsync<MessagePage>(
        new() { ["Frame"] = Of(context, "/"), ["Title"] = title, ["Text"] = text }, status);
}
