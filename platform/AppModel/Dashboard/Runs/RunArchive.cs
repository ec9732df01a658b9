using Microsoft.AspNetCore.Http;

namespace Aspire.Hosting.Dashboard;

/// <summary>This run and those before it.</summary>
internal sealed class RunArchive(ConsoleFeed consoles)
{
    public RunData This { get; } = new(IsThis: true, consoles.Store);

    /// <summary>The run that a page asks for; null when it is not kept any more.</summary>
    public RunData? Of(HttpContext context) => string.IsNullOrEmpty(context.Request.Query["run"]) ? This : null;
}
