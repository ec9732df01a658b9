using Grpc.Core;

namespace Fluster.Controller;

/// <summary>Finds the job that a caller means, among those that the caller may see.</summary>
internal static class JobLookup
{
    /// <summary>Jobs that a name is compared with when it is not found, newest first.</summary>
    private const int MostCompared = 1_000;

    private const int MostNamed = 3;

    /// <summary>The job with this id; a bare root name means its newest run.</summary>
    /// <exception cref="RpcException">There is none that the caller may see; the message has near names.</exception>
    public static JobRecord Find(ClusterLoop loop, Caller caller, string text) => Find(loop.Current, loop.Directory, caller, text);

    public static JobRecord Find(ClusterState state, JobDirectory directory, Caller caller, string text) =>
        FindOrNull(state, directory, caller, text) ?? throw NotFound(state, caller, text);

    /// <exception cref="RpcException">The text is no id at all.</exception>
    public static JobRecord? FindOrNull(ClusterState state, JobDirectory directory, Caller caller, string text)
    {
        if (!JobId.TryParse(text, out var id))
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"'{text}' is not a job id: ids look like 'name-1a2b3c4d' or 'name-1a2b3c4d/child'."));
        }

        return directory.Find(id, state) is { } job && caller.MayUse(job.Namespace) ? job
            : id.Depth == 1 ? Visible(state, caller).FirstOrDefault(root => root.ParentUid == 0 && root.Terms.Name == text)
            : null;
    }

    /// <summary>What is answered for an id that names nothing that the caller may see; it has near names.</summary>
    public static RpcException NotFound(ClusterState state, Caller caller, string text) =>
        new(new Status(StatusCode.NotFound, $"There is no job '{text}'{Near(state, caller, text)}"));

    private static IEnumerable<JobRecord> Visible(ClusterState state, Caller caller) => state.Jobs.Descending().Where(job => caller.MayUse(job.Namespace));

    private static string Near(ClusterState state, Caller caller, string text)
    {
        // Near is what differs in a third of its letters at most.
        var most = Math.Max(2, text.Length / 3);
        var candidates = Visible(state, caller).Take(MostCompared).Select(job => job.Id.ToString())
            .Where(id => id.StartsWith(text, StringComparison.Ordinal) || NearNames.Distance(text, id) <= most);
        var near = NearNames.Of(text, candidates, MostNamed);
        return near.Count == 0 ? "." : $"; did you mean {string.Join(" or ", near.Select(name => $"'{name}'"))}?";
    }
}
