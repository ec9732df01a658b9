namespace Fluster.Controller;

/// <summary>The pages of the cluster. Who may open which is in <see cref="AccessRules"/>; each asks the same code as the calls of the command line.</summary>
internal static class DashboardRoutes
{
    public static void AddDashboard(this IServiceCollection services)
    {
        services.AddSingleton<SessionCookie>();
        services.AddSingleton<LoginCodes>();
        services.AddSingleton<DashboardLogin>();
        services.AddSingleton<JobBrowser>();
        services.AddSingleton<JobLogPages>();
        services.AddSingleton<UtilisationSeries>();
        services.AddHostedService<UtilisationSampler>();
        services.AddSingleton<EndpointCaller>();
    }

    public static void MapDashboard(this WebApplication app)
    {
        app.MapGet(DashboardAssets.Prefix + "{name}", DashboardAssets.Serve);
        var pages = app.MapGroup("").AddEndpointFilter<RouteGroupBuilder, PageFilter>();
        pages.MapGet(DashboardLogin.Path, (DashboardLogin login, HttpContext context, PageContext page, string? next, string? code) => login.Show(context, page, next, code));
        pages.MapPost(DashboardLogin.Path, (DashboardLogin login, HttpContext context, PageContext page) => login.EnterAsync(context, page));
        pages.MapPost("/logout", (DashboardLogin login, HttpContext context) => login.Leave(context));
        pages.MapGet("/", (PageContext page, ClusterCalls cluster, JobBrowser jobs, UtilisationSeries series) =>
            page.Show(new PageHead("Overview", "/"), OverviewPage.Draw(page, cluster.Status(), jobs.List(page.Caller!, new JobQuery()), series.OfCluster())));
        pages.MapGet("/jobs", (PageContext page, JobBrowser jobs, HttpRequest request) =>
            page.Show(new PageHead("Jobs", "/jobs"), JobsPage.Draw(page, jobs.List(page.Caller!, JobQuery.Of(request.Query)))));
        pages.MapJobPages();
        pages.MapWorkerPages();
        pages.MapEndpointPages();
        pages.MapActionPages();
    }
}
