using System.Collections.Concurrent;
using Grpc.Core;

namespace Fluster.Controller;

/// <summary>A worker that was not let in, and what it knows.</summary>
/// <param name="Worker">Which one.</param>
/// <param name="ClusterId">The cluster that it belongs to.</param>
/// <param name="Epoch">The highest epoch that it has seen of it.</param>
/// <param name="Counter">The highest counter of a fence that it holds.</param>
internal sealed record RefusedWorker(WorkerId Worker, string ClusterId, long Epoch, long Counter);

/// <summary>
/// Lets workers in that are this cluster's, and remembers those that were not let in, so that an operator can say that they are to be
/// taken over. A controller with an empty, copied or restored directory must not tell a worker to kill what it does not know.
/// </summary>
internal sealed class WorkerAdmission(ClusterLoop loop)
{
    private const int MostRefused = 10_000;
    private const int ClusterIdLength = 32;
    private const string HowToAdopt = "If it is to be taken over all the same, say so with 'fluster cluster adopt";

    private readonly ConcurrentDictionary<WorkerId, RefusedWorker> _refused = new();

    public static bool IsClusterId(string text) => text.Length == ClusterIdLength && text.All(char.IsAsciiHexDigitLower);

    /// <summary>Those that were refused since they were last let in, or since the start.</summary>
    public IReadOnlyList<RefusedWorker> Refused() => [.. _refused.Values.OrderBy(worker => worker.Worker.ToString(), StringComparer.Ordinal)];

    /// <summary>The workers of a cluster were taken over: they are let in when they come again.</summary>
    public void Forget(string clusterId)
    {
        foreach (var (worker, refused) in _refused)
        {
            if (refused.ClusterId == clusterId)
            {
                _refused.TryRemove(worker, out _);
            }
        }
    }

    /// <summary>Checks that whoever opens a stream is the worker of its token, and is of this cluster.</summary>
    /// <param name="caller">Whose token it is.</param>
    /// <param name="workerId">Who it says it is.</param>
    /// <param name="clusterId">The cluster that it belongs to; empty: none yet.</param>
    /// <param name="epoch">The highest epoch that it has seen.</param>
    /// <param name="counter">The highest counter of a fence that it holds; 0 for none.</param>
    /// <exception cref="RpcException">It is not.</exception>
    public WorkerId Admit(Caller caller, string workerId, string clusterId, long epoch, long counter)
    {
        if (!TryParse(workerId, out var worker))
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"'{workerId}' is not a worker id."));
        }

        // The token of a machine names no worker: the rules know which ones the machine has.
        if (caller.Claims.Worker != workerId && caller.Pass is not { IsFirst: true })
        {
            throw new RpcException(new Status(StatusCode.PermissionDenied, $"The token is for worker '{caller.Claims.Worker}', not for '{workerId}'."));
        }

        if (clusterId.Length > 0 && Problem(clusterId, epoch, counter) is { } problem)
        {
            if (IsClusterId(clusterId) && (_refused.Count < MostRefused || _refused.ContainsKey(worker)))
            {
                // A worker comes with two streams, and only one of them says what it holds.
                _refused.AddOrUpdate(
                    worker, new RefusedWorker(worker, clusterId, epoch, counter),
                    (_, known) => known.ClusterId != clusterId ? new RefusedWorker(worker, clusterId, epoch, counter)
                        : known with { Epoch = Math.Max(known.Epoch, epoch), Counter = Math.Max(known.Counter, counter) });
            }

            throw new RpcException(new Status(StatusCode.FailedPrecondition, problem));
        }

        _refused.TryRemove(worker, out _);
        return worker;
    }

    private string? Problem(string clusterId, long epoch, long counter)
    {
        var meta = loop.Current.Meta;
        if (clusterId != meta.ClusterId)
        {
            return !meta.Adopted.Contains(clusterId) ? $"The worker belongs to cluster {clusterId}, and this is cluster {meta.ClusterId}. {HowToAdopt} {clusterId}'."
                : epoch >= meta.Epoch || counter >= meta.NextAttempt ? $"The worker of cluster {clusterId}, which was taken over, has gone on there since. {HowToAdopt} {clusterId}' once more."
                : null;
        }

        return epoch > meta.Epoch ? $"The worker has seen epoch {epoch} of this cluster, and this controller is at {meta.Epoch}: its data is older than what the worker knows. {HowToAdopt}'."
            : counter >= meta.NextAttempt ? $"The worker holds attempt number {counter}, and this controller has made {meta.NextAttempt - 1}: its data is older than what the worker knows. {HowToAdopt}'."
            : null;
    }

    private static bool TryParse(string text, out WorkerId worker)
    {
        try
        {
            worker = WorkerId.Parse(text);
            return true;
        }
        catch (FormatException)
        {
            worker = default;
            return false;
        }
    }
}
