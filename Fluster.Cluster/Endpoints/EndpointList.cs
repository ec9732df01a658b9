using System.Collections;

namespace Fluster.Cluster;

/// <summary>Endpoints that were found, and how old the view is that they were found in.</summary>
/// <param name="endpoints">What was found.</param>
/// <param name="asOf">See <see cref="AsOf"/>.</param>
public sealed class EndpointList(IReadOnlyList<RegisteredEndpoint> endpoints, DateTimeOffset asOf) : IReadOnlyList<RegisteredEndpoint>
{
    /// <summary>
    /// What was so at this time is in the list. A controller answers as of now; a reader that goes on without one answers as of the last time
    /// that it is known to have been up to date.
    /// </summary>
    public DateTimeOffset AsOf { get; } = asOf;

    /// <inheritdoc/>
    public int Count => endpoints.Count;

    /// <inheritdoc/>
    public RegisteredEndpoint this[int index] => endpoints[index];

    /// <inheritdoc/>
    public IEnumerator<RegisteredEndpoint> GetEnumerator() => endpoints.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
