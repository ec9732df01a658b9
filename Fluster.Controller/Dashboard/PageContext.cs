using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Web;

namespace Fluster.Controller;

/// <summary>What a page says of itself, outside its content.</summary>
/// <param name="Title">Of the window.</param>
/// <param name="Section">The page that is marked in the list of pages.</param>
/// <param name="Scripts">Of this page; every page has the common one.</param>
internal sealed record PageHead(string Title, string Section = "", params IReadOnlyList<string> Scripts);

/// <summary>Who looks at a page, and what every page says of the cluster.</summary>
internal sealed record PageContext
{
    /// <summary>The field of a form that shows that it is one of this session's.</summary>
    public const string FormField = "form";

    /// <summary>Null: somebody who has not logged in.</summary>
    public Caller? Caller { get; init; }

    public required string FormToken { get; init; }

    /// <summary>"light", "dark", or null: as the system has it.</summary>
    public string? Theme { get; init; }

    public required DateTimeOffset Now { get; init; }

    public required string ClusterId { get; init; }

    public bool IsAdmin => Caller is { IsAdmin: true };

    /// <summary>What is written beside the list of pages.</summary>
    public string Who => Caller is null ? "" : IsAdmin ? "admin" : $"namespace {Caller.Namespace}";

    public static PageContext Of(HttpContext context)
    {
        var services = context.RequestServices;
        return new PageContext
        {
            Caller = context.Features.Get<Caller>(),
            FormToken = services.GetRequiredService<SessionCookie>().FormToken(context),
            Theme = context.Request.Cookies["theme"] is "light" or "dark" ? context.Request.Cookies["theme"] : null,
            Now = services.GetRequiredService<TimeProvider>().GetUtcNow(),
            ClusterId = services.GetRequiredService<ClusterLoop>().Current.Meta.ClusterId,
        };
    }

    /// <summary>For handlers that name it among their parameters.</summary>
    public static ValueTask<PageContext?> BindAsync(HttpContext context) => ValueTask.FromResult<PageContext?>(Of(context));

    /// <summary>A page for somebody who has logged in.</summary>
    public IResult Show(PageHead head, RenderFragment content, int status = StatusCodes.Status200OK) =>
        new PageResult(Document.Draw(this, head, Shell.Draw(this, head, content)), status);

    /// <summary>A page without the list of pages.</summary>
    public IResult ShowAlone(PageHead head, RenderFragment content, int status = StatusCodes.Status200OK) => new PageResult(Document.Draw(this, head, content), status);

    /// <summary>Why something was not done.</summary>
    public IResult ShowProblem(int status, string message) => Caller is null
        ? ShowAlone(new PageHead("Not done"), LoginPage.Draw("/", message), status)
        : Show(new PageHead("Not done"), ErrorPage.Draw(message), status);
}

/// <summary>Draws a page on the server, once: what the browser gets is a document.</summary>
internal sealed class PageResult(RenderFragment content, int status) : IResult
{
    private const string Doctype = "<!DOCTYPE html>\n";

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var services = httpContext.RequestServices;
        await using var renderer = new HtmlRenderer(services, services.GetRequiredService<ILoggerFactory>());
        var parameters = ParameterView.FromDictionary(new Dictionary<string, object?>(StringComparer.Ordinal) { [nameof(PageHost.Content)] = content });
        var html = await renderer.Dispatcher.InvokeAsync(async () => (await renderer.RenderComponentAsync<PageHost>(parameters)).ToHtmlString());
        httpContext.Response.StatusCode = status;
        httpContext.Response.ContentType = "text/html; charset=utf-8";
        await httpContext.Response.WriteAsync(Doctype + html, httpContext.RequestAborted);
    }
}

/// <summary>The one component: what it shows are functions of the pages' files, whose parameters need not be public.</summary>
internal sealed class PageHost : IComponent
{
    private RenderHandle _handle;

    [Parameter]
    public RenderFragment? Content { get; set; }

    public void Attach(RenderHandle renderHandle) => _handle = renderHandle;

    public Task SetParametersAsync(ParameterView parameters)
    {
        parameters.SetParameterProperties(this);
        _handle.Render(Content!);
        return Task.CompletedTask;
    }
}
