using Fluster.Cluster;

namespace Fluster.Cli;

/// <summary>Finds the job that a user means: by its id, or by the name of a root job, whose newest run it then is.</summary>
internal static class JobFinder
{
    private const int MostSuggestions = 3;

    /// <summary>Suggestions come from so many of the newest jobs.</summary>
    private const int MostSeen = 2000;

    /// <exception cref="CommandFailedException">There is none; the message names near ones.</exception>
    public static async Task<JobId> FindAsync(FlusterClient client, string text, CancellationToken cancellationToken)
    {
        if (JobId.TryParse(text, out var id))
        {
            try
            {
                return (await client.GetStatusAsync(id, cancellationToken)).Id;
            }
            catch (ClusterException exception) when (exception.Error == ClusterError.NotFound)
            {
                // Perhaps a name.
            }
        }

        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var (root, below) = slash < 0 ? (text, "") : (text[..slash], text[slash..]);
        var seen = new List<JobStatus>();
        await foreach (var job in client.ListAsync(cancellationToken: cancellationToken))
        {
            // They come newest first.
            if (job.Id.Depth == 1 && job.Name == root)
            {
                var newest = job.Id + below;
                return below.Length == 0 ? job.Id : JobId.TryParse(newest, out var child) && newest != text ? await FindAsync(client, child.ToString(), cancellationToken) : throw NotFound(client, text, seen);
            }

            if (seen.Count < MostSeen)
            {
                seen.Add(job);
            }
        }

        throw NotFound(client, text, seen);
    }

    private static CommandFailedException NotFound(FlusterClient client, string text, IReadOnlyCollection<JobStatus> seen) =>
        new($"There is no job '{text}' in the namespace {client.Namespace}.{Suggest(text, seen)}");

    internal static string Suggest(string text, IEnumerable<JobStatus> jobs)
    {
        // A third of the characters may differ; more than that is another word.
        var near = NearNames.Of(text, jobs.SelectMany(job => (IEnumerable<string>)[job.Id.ToString(), job.Name]).Distinct(StringComparer.Ordinal), MostSuggestions)
            .Where(name => NearNames.Distance(text.ToUpperInvariant(), name.ToUpperInvariant()) <= Math.Max(2, Math.Min(text.Length, name.Length) / 3) || name.StartsWith(text, StringComparison.Ordinal))
            .ToList();
        return near.Count == 0 ? " See 'fluster job list'." : $" Did you mean {string.Join(" or ", near)}?";
    }
}
