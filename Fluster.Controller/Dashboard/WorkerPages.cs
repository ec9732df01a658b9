using Grpc.Core;

namespace Fluster.Controller;

/// <summary>A worker, and what was in use there during the last hour.</summary>
internal sealed record WorkerView(V1.WorkerInfo Info, IReadOnlyList<WorkerSample> Samples)
{
    public double CpuShare => Share(Info.Used?.CpuMillis ?? 0, Info.Capabilities?.Capacity?.CpuMillis ?? 0);

    public double MemoryShare => Share(Info.Used?.MemoryBytes ?? 0, Info.Capabilities?.Capacity?.MemoryBytes ?? 0);

    public bool CanDrain => Info.State is not ("Lost" or "Draining" or "Drained");

    private static double Share(long used, long capacity) => capacity <= 0 ? 0 : (double)used / capacity;
}

/// <summary>An attempt that a worker has.</summary>
internal sealed record WorkerAttemptLine(string JobId, int TaskIndex, string State, DateTimeOffset Since);

/// <summary>The pages of workers and machines.</summary>
internal static class WorkerPages
{
    private const int MostHeld = 200;

    public static void MapWorkerPages(this IEndpointRouteBuilder pages)
    {
        pages.MapGet("/workers", List);
        pages.MapGet("/worker", Show);
        pages.MapPost("/worker/drain", DrainAsync);
        pages.MapGet("/vms", (PageContext page, VmCalls vms) => page.Show(new PageHead("Machines", "/vms"), VmsPage.Draw(page, vms.List())));
    }

    private static IResult List(PageContext page, WorkerCalls workers, UtilisationSeries series, ClusterLoop loop)
    {
        var uids = loop.Current.Workers.Ascending().ToDictionary(worker => worker.Id.ToString(), worker => worker.Uid, StringComparer.Ordinal);
        var views = workers.List().Workers.Select(info => new WorkerView(info, series.Of(uids.GetValueOrDefault(info.WorkerId)))).ToList();
        return page.Show(new PageHead("Workers", "/workers"), WorkersPage.Draw(page, views));
    }

    private static IResult Show(PageContext page, WorkerCalls workers, UtilisationSeries series, ClusterLoop loop, string? id)
    {
        var state = loop.Current;
        if (workers.List().Workers.FirstOrDefault(worker => worker.WorkerId == id) is not { } info
            || state.Workers.Ascending().FirstOrDefault(worker => worker.Id.ToString() == id) is not { } record)
        {
            throw new RpcException(new Status(StatusCode.NotFound, $"There is no worker '{id}'."));
        }

        // What is of other namespaces is counted, and not named.
        var held = record.Held.Select(state.Attempt).OfType<AttemptRecord>()
            .Select(attempt => (attempt, job: state.Jobs.Find(attempt.JobUid)))
            .Where(entry => entry.job is not null && page.Caller!.MayUse(entry.job.Namespace))
            .Select(entry => new WorkerAttemptLine(entry.job!.Id.ToString(), entry.attempt.TaskIndex, entry.attempt.State.ToString(), DateTimeOffset.FromUnixTimeMilliseconds(entry.attempt.PlacedAt)))
            .Take(MostHeld)
            .ToList();
        return page.Show(new PageHead(info.WorkerId, "/workers"), WorkerPage.Draw(page, new WorkerView(info, series.Of(record.Uid)), held, record.Held.Length));
    }

    private static async Task<IResult> DrainAsync(PageContext page, WorkerCalls workers, HttpContext context)
    {
        var form = await PageFilter.FormOf(context);
        var id = form["id"].ToString();
        await workers.DrainAsync(new V1.DrainWorkerRequest { WorkerId = id, Now = form["now"] == "true" }, context.RequestAborted);
        return PageFilter.SeeOther("/worker?id=" + Uri.EscapeDataString(id));
    }
}
