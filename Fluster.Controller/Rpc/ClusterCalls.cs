using System.Reflection;
using Google.Protobuf.WellKnownTypes;

namespace Fluster.Controller;

/// <summary>The calls about the cluster itself.</summary>
internal sealed class ClusterCalls(ClusterLoop loop, EndpointProjection projection, ServedAddresses addresses, TimeProvider time)
{
    private static readonly string s_version =
        typeof(ClusterCalls).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "";

    private readonly DateTimeOffset _startedAt = time.GetUtcNow();

    public V1.GetClusterStatusResponse Status()
    {
        var state = loop.Current;
        var response = new V1.GetClusterStatusResponse
        {
            ClusterId = state.Meta.ClusterId,
            Epoch = state.Meta.Epoch,
            StartedAt = _startedAt.ToTimestamp(),
            Uptime = Duration.FromTimeSpan(time.GetUtcNow() - _startedAt),
            Version = s_version,
            Registry = projection.Description,
            Workers = state.Workers.Ascending().Count(worker => worker.State != WorkerState.Lost),
            HttpAddress = addresses.Http,
            MassSilence = loop.MassSilence,
        };
        foreach (var group in state.Jobs.Ascending().CountBy(job => job.State).OrderBy(count => count.Key))
        {
            response.JobsByState[group.Key.ToString()] = group.Value;
        }

        return response;
    }
}
