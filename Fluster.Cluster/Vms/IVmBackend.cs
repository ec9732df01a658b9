namespace Fluster.Cluster;

/// <summary>
/// Where machines come from (seed 003, stage 3). It knows how to make, find and remove them; when, is the controller's to decide. A machine is
/// ready when its workers have said Hello to the controller with the token that it was given. Every call may be made again, with the same arguments,
/// after any failure and by another start of the controller, and comes to the same end.
/// </summary>
public interface IVmBackend
{
    /// <summary>Its name in the configuration, the state and messages, for example <c>gce</c>.</summary>
    string Name { get; }

    /// <summary>How long a machine may take from the request until all its workers have said Hello.</summary>
    TimeSpan BootTimeout { get; }

    /// <summary>
    /// The machines on which a task could run, the best first, one for each place: a pure look into tables. Empty: it has none, whatever happens.
    /// </summary>
    /// <param name="needs">What one task asks for. A TPU asks for a whole slice.</param>
    IReadOnlyList<VmOffer> Offers(ResourceSpec needs);

    /// <summary>
    /// Makes a machine. Completes when it exists or will; not when it is ready. The same <see cref="VmRequest.Id"/> and
    /// <see cref="VmRequest.RequestId"/> again make no second one.
    /// </summary>
    /// <exception cref="VmException">There is none, and none will come of this request, unless <see cref="VmException.MayExist"/> says so.</exception>
    Task AllocateAsync(VmRequest request, CancellationToken cancellationToken = default);

    /// <summary>Removes a machine with all that belongs to it. Completes when it is gone; one that is gone already is no error. A machine of somebody else's is not touched.</summary>
    /// <param name="id">Which one.</param>
    /// <param name="zone">Where it was asked for: <see cref="VmOffer.Zone"/>.</param>
    /// <param name="cancellationToken">Stops the wait; the machine may go all the same.</param>
    /// <exception cref="VmException">It may still be there.</exception>
    Task ReleaseAsync(VmId id, string zone, CancellationToken cancellationToken = default);

    /// <summary>What is known of one machine; null when it is gone, or was never made.</summary>
    /// <exception cref="VmException">It is not known now whether there is one.</exception>
    Task<VmInfo?> GetAsync(VmId id, string zone, CancellationToken cancellationToken = default);

    /// <summary>All machines of this cluster that this backend has, also those that nobody remembers.</summary>
    /// <exception cref="VmException">There is no list now.</exception>
    Task<VmListing> ListAsync(CancellationToken cancellationToken = default);
}

/// <summary>A kind of machine in one place.</summary>
/// <param name="Shape">In the backend's words, for example <c>n2-standard-4</c> or <c>v5litepod-16</c>.</param>
/// <param name="Zone">Where, for example <c>us-central1-a</c>; empty for backends without zones.</param>
/// <param name="Resources">What each of its workers will offer to jobs, at least.</param>
public sealed record VmOffer(string Shape, string Zone, ResourceSpec Resources)
{
    /// <summary>Workers that it will have: one, or one for each host of a TPU slice.</summary>
    public int Workers { get; init; } = 1;

    /// <summary>
    /// What a failure can be about, from the narrow to the wide, for example <c>us-central1-a/n2-standard-4</c>, <c>us-central1-a</c>,
    /// <c>us-central1</c>, <c>gce</c>: see <see cref="VmException.Scope"/>. An offer with a blocked scope is passed over for a while.
    /// </summary>
    public IReadOnlyList<string> Scopes { get; init; } = [];
}

/// <summary>One machine to be made.</summary>
/// <param name="Id">Its name.</param>
/// <param name="RequestId">The same for every try at making this machine.</param>
/// <param name="Offer">What and where.</param>
/// <param name="ClusterId">Whose it is: it is marked with this, and only machines with this mark are ever listed or removed.</param>
public sealed record VmRequest(VmId Id, Guid RequestId, VmOffer Offer, string ClusterId)
{
    /// <summary>What the worker program finds in its environment: the controller's address, the machine's token, and what it is to say of itself.</summary>
    public IReadOnlyDictionary<string, string> WorkerEnvironment { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>The program that the machine fetches and runs; null where the backend's machines have it.</summary>
    public WorkerPackage? Package { get; init; }
}

/// <summary>The worker program as a machine fetches it, with the machine's token.</summary>
/// <param name="Source">Where it is: a URL of the controller.</param>
/// <param name="Sha256">The hash of the archive, in small hexadecimal digits.</param>
public sealed record WorkerPackage(Uri Source, string Sha256);
