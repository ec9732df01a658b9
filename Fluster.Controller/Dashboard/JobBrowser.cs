namespace Fluster.Controller;

/// <summary>A line of a list of jobs.</summary>
/// <param name="Job">The job, without its tasks.</param>
/// <param name="Depth">How far it is below the first one of its tree.</param>
/// <param name="Hidden">Jobs right below it that are not in the list.</param>
internal sealed record JobLine(V1.JobInfo Job, int Depth, int Hidden);

/// <summary>A page of a list of jobs.</summary>
/// <param name="Filter">What was asked for.</param>
/// <param name="Rows">Newest first.</param>
/// <param name="First">Where the page begins in the whole list, from 1.</param>
/// <param name="Shown">How many of the list are on it; the rows below them come on top.</param>
/// <param name="Total">How many the whole list has.</param>
/// <param name="Next">The filter of the next page; null: there is none.</param>
/// <param name="States">How many there are in each state, whatever state was asked for.</param>
internal sealed record JobPageView(JobQuery Filter, IReadOnlyList<JobLine> Rows, long First, int Shown, long Total, JobQuery? Next, IReadOnlyDictionary<JobState, int> States)
{
    public int CountOf(JobState state) => States.GetValueOrDefault(state);

    public int Live => States.Where(state => !state.Key.IsTerminal).Sum(state => state.Value);
}

/// <summary>
/// Lists jobs for people: counted, filtered, and as trees. One pass over the jobs of a published state for each page; only what is on the page is made readable.
/// </summary>
internal sealed class JobBrowser(ClusterLoop loop, JobInfos infos)
{
    public const int PageSize = 50;

    private const int MostChildren = 5;
    private const int DeepestRow = 3;

    public JobPageView List(Caller caller, JobQuery filter)
    {
        var state = loop.Current;
        var counts = new Dictionary<JobState, int>();
        var page = new List<JobRecord>();
        var (total, before, isMore) = (0L, 0L, false);
        foreach (var job in state.Jobs.Descending().Where(job => caller.MayUse(job.Namespace) && filter.IsInScope(job)))
        {
            counts[job.State] = counts.GetValueOrDefault(job.State) + 1;
            if (!filter.HasState(job) || filter.IsTree && job.ParentUid != 0)
            {
                continue;
            }

            total++;
            if (job.Uid >= filter.Before)
            {
                before++;
            }
            else if (page.Count < PageSize)
            {
                page.Add(job);
            }
            else
            {
                isMore = true;
            }
        }

        return new JobPageView(filter, Rows(state, filter, page), before + 1, page.Count, total, isMore ? filter with { Before = page[^1].Uid } : null, counts);
    }

    /// <summary>Jobs right below a job, newest first, and how many there are.</summary>
    public (IReadOnlyList<V1.JobInfo> Newest, int Count) ChildrenOf(ClusterState state, JobRecord parent, int most)
    {
        var newest = new List<V1.JobInfo>();
        var count = 0;
        foreach (var job in state.Jobs.Descending().TakeWhile(job => job.Uid > parent.Uid).Where(job => job.ParentUid == parent.Uid))
        {
            count++;
            if (newest.Count < most)
            {
                newest.Add(infos.Of(state, job, withTasks: false));
            }
        }

        return (newest, count);
    }

    private List<JobLine> Rows(ClusterState state, JobQuery filter, List<JobRecord> page)
    {
        var rows = new List<JobLine>();
        var children = filter.IsTree && page.Count > 0 ? ChildrenSince(state, page[^1].Uid) : [];
        foreach (var job in page)
        {
            Add(job, filter.Within is { } ancestor ? Math.Clamp(job.Id.Depth - ancestor.Depth, 0, DeepestRow) : 0);
        }

        return rows;

        void Add(JobRecord job, int depth)
        {
            var below = children.GetValueOrDefault(job.Uid) ?? [];
            var shown = depth < DeepestRow ? Math.Min(below.Count, MostChildren) : 0;
            rows.Add(new JobLine(infos.Of(state, job, withTasks: false), depth, below.Count - shown));
            foreach (var child in below.Take(shown))
            {
                Add(child, depth + 1);
            }
        }
    }

    /// <summary>By parent, newest first. A job is younger than its parent, so those of a page are younger than its oldest job.</summary>
    private static Dictionary<long, List<JobRecord>> ChildrenSince(ClusterState state, long oldest)
    {
        var children = new Dictionary<long, List<JobRecord>>();
        foreach (var job in state.Jobs.Descending().TakeWhile(job => job.Uid > oldest).Where(job => job.ParentUid != 0))
        {
            if (!children.TryGetValue(job.ParentUid, out var siblings))
            {
                children[job.ParentUid] = siblings = [];
            }

            siblings.Add(job);
        }

        return children;
    }
}
