using System.Runtime.CompilerServices;

namespace Fluster.Backends;

/// <summary>
/// The instances of a Google Cloud project and the metadata on them, for a <c>GceResolver</c>: servers that find each other without a controller
/// (seed 001, stage 6, RealGcsApi). Keep one and share it; several calls at a time are fine.
/// </summary>
/// <remarks>The account needs <c>compute.instances.list</c> and <c>compute.instances.get</c>, and to write also <c>compute.instances.setMetadata</c>.</remarks>
public sealed class GceInstances : IInstanceDirectory, IDisposable
{
    /// <summary>How long a change of metadata may take on Google's side. It takes seconds.</summary>
    private static readonly TimeSpan s_writePatience = TimeSpan.FromMinutes(2);

    private readonly GcpConnection? _owned;
    private readonly ComputeClient _compute;
    private readonly string _zone;

    /// <param name="project">The project's id, for example <c>my-project</c>.</param>
    /// <param name="zone">Only this zone's, for example <c>us-central1-a</c>: faster, and not bothered by another zone that cannot be reached. Default: all zones.</param>
    /// <param name="api">Where Compute Engine is asked, with '/' at the end. Default: Google's; an emulator's is <c>http://127.0.0.1:8085/compute/v1/</c>.</param>
    /// <param name="accessToken">
    /// A token that is sent as it is. Default: Google's application default credentials, found at the first call: those of this machine, else what
    /// <c>GOOGLE_APPLICATION_CREDENTIALS</c> names, else the user's of <c>gcloud auth application-default login</c>.
    /// </param>
    /// <exception cref="ArgumentException">The project, the zone or the address is not of the form of one.</exception>
    public GceInstances(string project, string? zone = null, Uri? api = null, string? accessToken = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(project);
        if (!GcpNames.IsProject(project))
        {
            throw new ArgumentException($"'{project}' is not the id of a project.", nameof(project));
        }

        if (zone is not null && !GcpNames.IsZone(zone))
        {
            throw new ArgumentException($"'{zone}' is not a zone such as us-central1-a.", nameof(zone));
        }

        var options = new GcpOptions { Project = project, AccessToken = accessToken ?? "" };
        if (api is not null && (!api.IsAbsoluteUri || !api.AbsoluteUri.EndsWith('/')))
        {
            throw new ArgumentException($"'{api}' is not an http address that ends with '/'.", nameof(api));
        }

        _owned = GcpConnection.For(options);
        _compute = new ComputeClient(_owned, api ?? options.ComputeBaseUri, project);
        _zone = zone ?? "";
    }

    internal GceInstances(ComputeClient compute, string zone = "") => (_compute, _zone) = (compute, zone);

    /// <inheritdoc/>
    /// <remarks>A list in which a zone is missing is not given out: an instance that is not in it may well be there.</remarks>
    public async IAsyncEnumerable<InstanceInfo> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        foreach (var instance in await FindAsync("", cancellationToken).ConfigureAwait(false))
        {
            yield return Describe(instance);
        }
    }

    /// <inheritdoc/>
    /// <remarks>
    /// The API replaces all metadata of an instance: it is read, changed and written with the fingerprint that was read, again when somebody else wrote in between.
    /// Returns when Google has applied it; a few seconds.
    /// </remarks>
    public async Task SetMetadataAsync(string name, string key, string? value, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentException.ThrowIfNullOrEmpty(key);
        var zone = _zone.Length > 0 ? _zone : await ZoneOfAsync(name, cancellationToken).ConfigureAwait(false);
        try
        {
            var operation = await _compute.SetMetadataAsync(zone, name, key, value, cancellationToken).ConfigureAwait(false);
            operation = await _compute.CompleteAsync(zone, operation, s_writePatience, cancellationToken).ConfigureAwait(false);
            if (operation.Status != ComputeOperation.Done)
            {
                throw new VmException(VmFailureKind.Transient, $"Compute Engine in {zone}: '{key}' on {name} is still not written after {s_writePatience.TotalMinutes} minutes.");
            }
        }
        catch (GcpApiException error)
        {
            throw Failure(error, zone);
        }
    }

    /// <summary>Closes its connections, unless they are somebody else's.</summary>
    public void Dispose() => _owned?.Dispose();

    /// <summary>Names are unique in a zone, not in a project.</summary>
    private async Task<string> ZoneOfAsync(string name, CancellationToken cancellationToken)
    {
        if (!GcpNames.IsResource(name))
        {
            throw new VmException(VmFailureKind.Invalid, $"'{name}' is not the name of an instance.");
        }

        return await FindAsync($"name = \"{name}\"", cancellationToken).ConfigureAwait(false) switch
        {
            [var only] => GcpNames.LastPart(only.Zone),
            [] => throw new VmException(VmFailureKind.Invalid, $"There is no instance '{name}' in this project."),
            var several => throw new VmException(VmFailureKind.Invalid, $"There is more than one instance '{name}', in {string.Join(" and ", several.Select(one => GcpNames.LastPart(one.Zone)))}: say which zone is meant."),
        };
    }

    private async Task<IReadOnlyList<ComputeInstance>> FindAsync(string filter, CancellationToken cancellationToken)
    {
        try
        {
            var list = await (_zone.Length > 0 ? _compute.ListAsync(_zone, filter, cancellationToken) : _compute.ListAllAsync(filter, cancellationToken)).ConfigureAwait(false);
            return list.IsComplete
                ? list.Items
                : throw new VmException(VmFailureKind.Transient, $"Compute Engine listed only a part of the instances{(_zone.Length > 0 ? $" in {_zone}" : ": a zone cannot be reached")}.");
        }
        catch (GcpApiException error)
        {
            throw Failure(error, _zone);
        }
    }

    private static InstanceInfo Describe(ComputeInstance instance)
    {
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var item in instance.Metadata?.Items ?? [])
        {
            metadata[item.Key] = item.Value ?? "";
        }

        var address = instance.NetworkInterfaces is [{ NetworkIP: { Length: > 0 } ip }, ..] ? ip : null;
        return new InstanceInfo(instance.Name ?? "", GceBackend.StatusOf(instance.Status), address, metadata);
    }

    private static VmException Failure(GcpApiException error, string zone) => new GcpPlace("Compute Engine", zone).Failure(error);
}
