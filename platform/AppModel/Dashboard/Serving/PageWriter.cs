using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Web;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Dashboard;

/// <summary>Draws pages.</summary>
internal sealed class PageWriter(IServiceProvider services, ILoggerFactory loggers)
{
    /// <summary>Answers with a page.</summary>
    /// <param name="parameters">The component's parameters, by name.</param>
    /// <param name="status">The HTTP status.</param>
    public async Task<IResult> DrawAsync<TPage>(Dictionary<string, object?> parameters, int status = StatusCodes.Status200OK)
        where TPage : IComponent
    {
        await using var renderer = new HtmlRenderer(services, loggers);
        var html = await renderer.Dispatcher.InvokeAsync(async () => (await renderer.RenderComponentAsync<TPage>(ParameterView.FromDictionary(parameters))).ToHtmlString());
        return Results.Content(html, "text/html; charset=utf-8", contentEncoding: null, status);
    }
}
