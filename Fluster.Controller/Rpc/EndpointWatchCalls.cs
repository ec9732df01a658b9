using Grpc.Core;

namespace Fluster.Controller;

/// <summary>The streams of those who watch endpoints. None of them holds up anything: what one has not read yet is in the feed, or is read again as a whole.</summary>
internal sealed class EndpointWatchCalls(ClusterLoop loop, EndpointFeed feed)
{
    /// <summary>A watcher that is further behind gets the whole list instead.</summary>
    private const int MostBehind = 1_000;

    /// <summary>Of one message: below it a message is as long as it gets.</summary>
    private const int PieceBytes = 1 << 20;

    public async Task WatchAsync(
        Caller caller, V1.WatchEndpointsRequest request, IServerStreamWriter<V1.WatchEndpointsResponse> responses, CancellationToken cancellationToken)
    {
        var @namespace = EndpointCalls.NamespaceOf(caller, request.Namespace);
        EndpointKey? key = request.Name.Length > 0 ? new EndpointKey(@namespace, request.Name) : null;
        bool Matches(EndpointRecord endpoint) => key is { } name ? endpoint.Key == name : endpoint.Namespace == @namespace && endpoint.Name.StartsWith(request.Prefix, StringComparison.Ordinal);

        var epoch = loop.Current.Meta.Epoch;
        long? known = request.Epoch == epoch && request.Version <= loop.Current.Meta.EndpointVersion ? request.Version : null; // nobody was given a later one
        var resumes = known is not null;
        using var watch = feed.Open(key);
        while (true)
        {
            // Taken before looking: a change after the look ends the wait.
            var changed = watch.Changed.Next;
            var version = 0L;
            var changes = known is { } after ? feed.ReadAfter(after, Matches, out version) : null;
            if (changes is null || changes.Count > MostBehind && !resumes)
            {
                var state = loop.Current;
                var all = key is { } name ? state.Endpoints.Named(name) : state.Endpoints.WithPrefix(@namespace, request.Prefix);
                version = state.Meta.EndpointVersion;
                await SendAsync(responses, epoch, version, reset: true, all.Select(endpoint => new EndpointChange(0, endpoint, Removed: false)), cancellationToken);
            }
            else if (changes.Count > 0 || resumes)
            {
                await SendAsync(responses, epoch, version, reset: false, changes, cancellationToken);
            }

            known = version;
            resumes = false;
            await changed.WaitAsync(cancellationToken);
        }
    }

    private static async Task SendAsync(
        IServerStreamWriter<V1.WatchEndpointsResponse> responses, long epoch, long version, bool reset, IEnumerable<EndpointChange> changes, CancellationToken cancellationToken)
    {
        var piece = new V1.WatchEndpointsResponse { Epoch = epoch, Reset = reset };
        var size = 0;
        foreach (var change in changes)
        {
            var message = new V1.EndpointChange { Endpoint = change.Removed ? Naming(change.Endpoint) : change.Endpoint.ToDomain().ToWire(), Removed = change.Removed };
            size += message.CalculateSize();
            if (size > PieceBytes && piece.Changes.Count > 0)
            {
                piece.More = true;
                await responses.WriteAsync(piece, cancellationToken);
                piece = new V1.WatchEndpointsResponse { Epoch = epoch };
                size = message.CalculateSize();
            }

            piece.Changes.Add(message);
        }

        piece.Version = version;
        await responses.WriteAsync(piece, cancellationToken);
    }

    /// <summary>Of what is gone, only which it was.</summary>
    private static V1.Endpoint Naming(EndpointRecord endpoint) =>
        new() { EndpointId = endpoint.Id.ToString(), Namespace = endpoint.Namespace.ToString(), Name = endpoint.Name };
}
