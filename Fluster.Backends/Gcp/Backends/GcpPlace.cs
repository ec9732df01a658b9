namespace Fluster.Backends;

/// <summary>Where a machine is or was to be made, in the scopes of <see cref="VmOffer.Scopes"/>.</summary>
/// <param name="Backend">The backend's name: the widest scope, the whole project.</param>
/// <param name="Zone">The zone.</param>
/// <param name="Shape">The shape; empty where the question is not about one.</param>
/// <param name="Spot">Whether the cloud may take it away: what there is of such machines says nothing of the others.</param>
internal sealed record GcpPlace(string Backend, string Zone, string Shape = "", bool Spot = false)
{
    public string Region => GcpNames.RegionOf(Zone);

    /// <summary>This shape in this zone.</summary>
    public string ShapeScope => Shape.Length == 0 ? Zone : $"{Zone}/{Shape}{(Spot ? "/spot" : "")}";

    /// <summary>From the narrow to the wide.</summary>
    public IReadOnlyList<string> Scopes => [ShapeScope, Zone, Region, Backend];

    /// <summary>Where an offer is.</summary>
    public static GcpPlace Of(string backend, VmOffer offer) => new(backend, offer.Zone, offer.Shape, offer.Resources.Preemptible);

    /// <summary>What an error means for making machines, and where it is better not to try for a while.</summary>
    /// <param name="error">What Google said.</param>
    /// <param name="mayExist">Whether there may be a machine in spite of it.</param>
    public VmException Failure(GcpApiException error, bool mayExist = false)
    {
        var (kind, scope) = Classify(error);
        return new VmException(kind, $"{Backend}{(Zone.Length > 0 ? $" in {Zone}" : "")}: {error.Message}{Advice(kind)}", error)
        {
            Scope = scope,
            MayExist = mayExist,
            RetryAfter = error.RetryAfter,
        };
    }

    private (VmFailureKind Kind, string Scope) Classify(GcpApiException error) => error switch
    {
        { IsStockout: true } => (VmFailureKind.Stockout, ShapeScope),
        { IsQuota: true } => (VmFailureKind.Quota, QuotaScope(error)),
        { IsRateLimit: true } => (VmFailureKind.RateLimited, Backend), // the rate is the project's
        { IsPreempted: true } => (VmFailureKind.Preempted, ShapeScope),
        { IsTransient: true } => (VmFailureKind.Transient, Zone.Length > 0 ? Zone : Backend),
        { IsNotReady: true } or { IsConflict: true } => (VmFailureKind.Transient, ""),
        { IsPermission: true } => (VmFailureKind.Permission, IsAboutLocation(error) ? Zone : Backend),
        { IsAlreadyExists: true } => (VmFailureKind.NameTaken, ""),
        { IsNotFound: true } => NotFound(error),
        { IsInvalid: true } => (VmFailureKind.Invalid, InvalidScope(error)),
        _ => (VmFailureKind.Unknown, Zone.Length > 0 ? Zone : Backend),
    };

    private string QuotaScope(GcpApiException error) => error switch
    {
        _ when error.Mentions("ALL_REGIONS") || error.Mentions("-per-project'") || error.Mentions("globally") => Backend,
        _ when error.Mentions("zone=") || error.Mentions(" in zone ") || error.Mentions("PerZone") => Zone,
        _ => Region,
    };

    /// <summary>
    /// When a machine is made and its own end is "not found", there were none left, as a rule. Otherwise something that it needs is missing: a network, an image, a zone.
    /// </summary>
    private (VmFailureKind Kind, string Scope) NotFound(GcpApiException error) => error switch
    {
        _ when error.Mentions("/global/") => (VmFailureKind.Invalid, Backend),
        _ when error.Mentions("/subnetworks/") => (VmFailureKind.Invalid, Region),
        _ when error.Mentions("/machineTypes/") || error.Mentions("/acceleratorTypes/") => (VmFailureKind.Invalid, ShapeScope),
        { Status: null } => (VmFailureKind.Stockout, ShapeScope),
        _ => (VmFailureKind.Invalid, Zone.Length > 0 ? Zone : Backend),
    };

    private string InvalidScope(GcpApiException error) => error switch
    {
        _ when error.Mentions("machineType") || error.Mentions("machine type") || error.Mentions("AcceleratorType") || error.Mentions("diskType") => ShapeScope,
        _ when error.Mentions("subnetwork") => Region,
        _ when error.Mentions("resource.zone") || error.Mentions("'zone'") => Zone,
        _ => Backend, // the same everywhere: a setting is wrong
    };

    private bool IsAboutLocation(GcpApiException error) => error.Mentions("is not found or access is unauthorized") || error.Mentions($"Location {Zone} ");

    private static string Advice(VmFailureKind kind) => kind switch
    {
        VmFailureKind.Stockout => " Another zone is tried if there is one in Zones.",
        VmFailureKind.Quota => " Ask for more in the Google Cloud console under IAM, Quotas, or lower the backend's Max.",
        VmFailureKind.Permission => " See deploy/gcp for the roles that the controller's account needs.",
        _ => "",
    };
}
