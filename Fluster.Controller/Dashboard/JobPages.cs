namespace Fluster.Controller;

/// <summary>One job, with what a person wants to know of it.</summary>
/// <param name="Job">With its tasks.</param>
/// <param name="Explanation">Why it waits; null: it does not.</param>
/// <param name="Children">The newest jobs right below it.</param>
/// <param name="ChildCount">How many there are.</param>
/// <param name="Endpoints">Those that its attempts registered.</param>
/// <param name="Timeline">When its attempts waited and ran.</param>
/// <param name="Trace">The waterfall of its trace.</param>
internal sealed record JobView(
    V1.JobInfo Job, V1.JobExplanation? Explanation, IReadOnlyList<V1.JobInfo> Children, int ChildCount, IReadOnlyList<V1.Endpoint> Endpoints, JobTimeline Timeline, TraceView Trace)
{
    public bool IsLive => !((JobState)Job.State).IsTerminal;

    /// <summary>Milliseconds after which the page is drawn again. A while after the end of the job, the last of its trace has come.</summary>
    public int Interval(DateTimeOffset now) => IsLive ? 1_000 : now - Job.EndedAt?.ToDateTimeOffset() < TimeSpan.FromMinutes(1) ? 2_000 : 30_000;
}

/// <summary>The page of one job, and what can be done there.</summary>
internal static class JobPages
{
    private const int MostChildren = 20;
    private const int MostEndpoints = 50;

    public static void MapJobPages(this IEndpointRouteBuilder pages)
    {
        pages.MapGet("/job", ShowAsync);
        pages.MapGet("/job/log", (PageContext page, JobLogPages logs, string id, string? cursor, string? search, int? task, string? stream, CancellationToken cancellationToken) =>
            logs.ReadAsync(page, id, cursor, search, task, stream, cancellationToken));
        pages.MapPost("/job/stop", StopAsync);
    }

    private static async Task<IResult> ShowAsync(PageContext page, JobCalls jobs, JobBrowser browser, EndpointCalls endpoints, TraceCalls traces, ClusterLoop loop, string? id, CancellationToken cancellationToken)
    {
        var caller = page.Caller!;
        var job = jobs.Get(caller, new V1.GetJobStatusRequest { JobId = id ?? "" }).Job;
        var explanation = job.State == V1.JobState.Pending ? jobs.Explain(caller, new V1.ExplainJobRequest { JobId = job.JobId }).Explanation : null;
        var state = loop.Current;
        var (children, count) = JobLookup.FindOrNull(state, loop.Directory, caller, job.JobId) is { } record ? browser.ChildrenOf(state, record, MostChildren) : ([], 0);
        var own = endpoints.List(caller, new V1.ListEndpointsRequest { Namespace = job.Namespace }).Endpoints.Where(endpoint => endpoint.OwnerJobId == job.JobId).Take(MostEndpoints).ToList();
        var trace = TraceView.Of(await traces.GetAsync(caller, new V1.GetJobTraceRequest { JobId = job.JobId }, cancellationToken), page.Now);
        return page.Show(new PageHead(job.JobId, "/jobs", "logs.js"), JobPage.Draw(page, new JobView(job, explanation, children, count, own, JobTimeline.Of(job, page.Now), trace)));
    }

    private static async Task<IResult> StopAsync(PageContext page, JobCalls jobs, HttpContext context)
    {
        var id = (await PageFilter.FormOf(context))["id"].ToString();
        var stopped = await jobs.TerminateAsync(page.Caller!, new V1.TerminateJobRequest { JobId = id }, context.RequestAborted);
        return PageFilter.SeeOther(Tones.JobUrl(stopped.Job?.JobId ?? id));
    }
}
