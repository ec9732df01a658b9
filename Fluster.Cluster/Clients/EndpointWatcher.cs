using System.Runtime.CompilerServices;

namespace Fluster.Cluster;

/// <summary>Watches endpoints through a controller, and goes on where it was when the stream breaks.</summary>
internal sealed class EndpointWatcher(ControllerCalls calls, TimeProvider time)
{
    /// <param name="wanted">Namespace, and name or prefix.</param>
    /// <param name="cancellationToken">Ends the watch.</param>
    public async IAsyncEnumerable<EndpointUpdate> WatchAsync(V1.WatchEndpointsRequest wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var changes = new List<V1.EndpointChange>();
        var reset = false;
        while (true)
        {
            // A stream that is opened again begins after the last update that was complete.
            var stream = calls.StreamAsync(
                (service, options) =>
                {
                    changes.Clear();
                    reset = false;
                    return service.WatchEndpoints(wanted.Clone(), options);
                },
                cancellationToken);
            await foreach (var part in stream.ConfigureAwait(false))
            {
                reset |= part.Reset;
                changes.AddRange(part.Changes);
                if (part.More)
                {
                    continue;
                }

                (wanted.Epoch, wanted.Version) = (part.Epoch, part.Version);
                if (reset || changes.Count > 0)
                {
                    yield return Update(reset, changes);
                }

                changes.Clear();
                reset = false;
            }

            await new BackOff(time).WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private EndpointUpdate Update(bool reset, List<V1.EndpointChange> changes)
    {
        // Of several changes of one endpoint the last one counts.
        var last = new Dictionary<string, V1.EndpointChange>(StringComparer.Ordinal);
        foreach (var change in changes)
        {
            last[change.Endpoint.EndpointId] = change;
        }

        return new EndpointUpdate
        {
            IsReset = reset,
            Registered = [.. last.Values.Where(change => !change.Removed).Select(change => change.Endpoint.ToDomain())],
            Removed = [.. last.Values.Where(change => change.Removed).Select(change => EndpointId.Parse(change.Endpoint.EndpointId))],
            AsOf = time.GetUtcNow(),
        };
    }
}
