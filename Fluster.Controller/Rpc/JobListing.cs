using Grpc.Core;

namespace Fluster.Controller;

/// <summary>Pages of jobs, newest first; after those of the state, when they are wanted, those of the archive.</summary>
internal sealed class JobListing(ClusterLoop loop, JobInfos infos, ArchiveReader archive)
{
    private const int DefaultPage = 100;
    private const int LargestPage = 1_000;

    /// <summary>Begins the token of a page that begins in the archive.</summary>
    private const string Archived = "archived:";

    public V1.ListJobsResponse List(Caller caller, V1.ListJobsRequest request)
    {
        var all = request.Namespace == "*";
        if (all && !caller.IsAdmin)
        {
            throw new RpcException(new Status(StatusCode.PermissionDenied, "The jobs of all namespaces need a token of the role admin."));
        }

        var @namespace = all ? default : EndpointCalls.NamespaceOf(caller, request.Namespace);
        JobId? within = request.Prefix.Length == 0 ? null
            : JobId.TryParse(request.Prefix, out var prefix) ? prefix
            : throw new RpcException(new Status(StatusCode.InvalidArgument, $"'{request.Prefix}' is not a job id."));
        var inArchive = request.PageToken.StartsWith(Archived, StringComparison.Ordinal);
        var from = request.PageToken.Length == 0 ? long.MaxValue
            : long.TryParse(inArchive ? request.PageToken[Archived.Length..] : request.PageToken, out var token) && token > 0 ? token
            : throw new RpcException(new Status(StatusCode.InvalidArgument, "The page token is not one that this controller gave out."));
        var size = request.PageSize <= 0 ? DefaultPage : Math.Min(request.PageSize, LargestPage);
        var states = request.States.Select(wanted => (JobState)wanted).ToHashSet();

        var state = loop.Current;
        var response = new V1.ListJobsResponse();
        if (!inArchive)
        {
            foreach (var job in state.Jobs.Descending(from).Where(IsWanted))
            {
                if (response.Jobs.Count == size)
                {
                    response.NextPageToken = job.Uid.ToString();
                    return response;
                }

                response.Jobs.Add(infos.Of(state, job, withTasks: false));
            }
        }

        if (inArchive || request.IncludeArchived)
        {
            // One more than fits says whether there is a next page, and where it begins.
            var jobs = archive.Read(inArchive ? from : long.MaxValue, size - response.Jobs.Count + 1, IsWanted);
            foreach (var job in jobs)
            {
                if (response.Jobs.Count == size)
                {
                    response.NextPageToken = Archived + job.Uid;
                    break;
                }

                response.Jobs.Add(infos.Of(state, job, withTasks: false));
            }
        }

        return response;

        bool IsWanted(JobRecord job) =>
            (all || job.Namespace == @namespace) && (states.Count == 0 || states.Contains(job.State)) && (within is not { } ancestor || job.Id.IsWithin(ancestor));
    }
}
