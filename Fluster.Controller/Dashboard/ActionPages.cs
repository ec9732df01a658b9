namespace Fluster.Controller;

/// <summary>Which lines of the action log are shown.</summary>
internal sealed record ActionFilter(string Kind, string Job, string Before)
{
    /// <summary>All that there are.</summary>
    public static IReadOnlyList<string> Kinds { get; } =
    [
        ActionKinds.JobSubmitted, .. Enum.GetValues<JobState>().Select(ActionKinds.Of), ActionKinds.JobStopping,
        ActionKinds.WorkerRegistered, ActionKinds.WorkerRestarted, .. Enum.GetValues<WorkerState>().Select(ActionKinds.Of), ActionKinds.WorkerDraining, ActionKinds.WorkerQuarantined,
        .. Enum.GetValues<VmState>().Select(ActionKinds.Of), ActionKinds.VmGone,
        ActionKinds.EndpointRegistered, ActionKinds.EndpointUnregistered, ActionKinds.EndpointRemovedJobTerminated, ActionKinds.EndpointRemovedRegistrationEnded,
    ];

    public string ToUrl()
    {
        var parts = ((string Name, string Value)[])[("kind", Kind), ("job", Job), ("before", Before)];
        var query = string.Join('&', parts.Where(part => part.Value.Length > 0).Select(part => $"{part.Name}={Uri.EscapeDataString(part.Value)}"));
        return query.Length == 0 ? "/actions" : "/actions?" + query;
    }
}

/// <summary>The page of the action log.</summary>
internal static class ActionPages
{
    private const int PageSize = 100;

    public static void MapActionPages(this IEndpointRouteBuilder pages) => pages.MapGet("/actions", (PageContext page, ActionCalls actions, string? kind, string? job, string? before) =>
    {
        var filter = new ActionFilter(kind ?? "", JobId.TryParse(job ?? "", out var id) ? id.ToString() : "", before ?? "");
        var list = actions.List(page.Caller!, new V1.ListActionsRequest { Namespace = page.IsAdmin ? "*" : "", Kind = filter.Kind, JobId = filter.Job, PageSize = PageSize, PageToken = filter.Before });
        return page.Show(new PageHead("Action log", "/actions"), ActionsPage.Draw(page, filter, list));
    });
}
