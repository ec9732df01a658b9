using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>
/// Finds actors by what is written on the instances of Compute Engine that run them, without a controller. Source: seed 001, stage 6 (GcsResolver).
/// <c>fluster_actor_NAME</c> is the port of an actor, <c>fluster_namespace</c> the namespace of all that run there; without it they are in the
/// default one. Characters that keys cannot have are written as <c>-xx</c>, the hexadecimal number of each byte.
/// </summary>
/// <param name="directory">Lists the instances.</param>
/// <param name="namespace">Where names count when none is given. Default: that of the current context, else <see cref="Namespace.Default"/>.</param>
/// <param name="token">The token that calls carry. Default: that of the current job.</param>
/// <param name="time">The clock. Default: the system's.</param>
public sealed class GceResolver(IInstanceDirectory directory, Namespace? @namespace = null, string? token = null, TimeProvider? time = null) : IActorResolver
{
    private const string ActorPrefix = "fluster_actor_";
    private const string NamespaceKey = "fluster_namespace";
    private const string ControllerKey = "fluster-controller";

    // A list of instances is a request to the cloud, and those are rationed.
    private static readonly TimeSpan s_watchInterval = TimeSpan.FromSeconds(10);

    private readonly IInstanceDirectory _directory = directory ?? throw new ArgumentNullException(nameof(directory));
    private readonly TimeProvider _time = time ?? TimeProvider.System;

    /// <inheritdoc/>
    public string? Token { get; } = token;

    /// <inheritdoc/>
    public Namespace DefaultNamespace => @namespace ?? FlusterContext.CurrentOrNull?.Namespace ?? Namespace.Default;

    /// <summary>The key under which an actor's port is written on its instance.</summary>
    /// <param name="name">The actor's name.</param>
    public static string KeyOf(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var key = new StringBuilder(ActorPrefix);
        foreach (var unit in Encoding.UTF8.GetBytes(name))
        {
            if (char.IsAsciiLetterOrDigit((char)unit) || unit == '_')
            {
                key.Append((char)unit);
            }
            else
            {
                key.Append('-').Append(unit.ToString("x2", CultureInfo.InvariantCulture));
            }
        }

        return key.ToString();
    }

    /// <inheritdoc/>
    /// <exception cref="VmException">The instances cannot be listed now.</exception>
    public async Task<ResolveResult> ResolveAsync(string name, Namespace? @namespace = null, CancellationToken cancellationToken = default)
    {
        var asked = @namespace ?? DefaultNamespace;
        var key = KeyOf(name);
        var asOf = _time.GetUtcNow();
        var found = new List<ResolvedEndpoint>();
        await foreach (var instance in _directory.ListAsync(cancellationToken).ConfigureAwait(false))
        {
            if (instance is { Status: VmStatus.Running, Address: { Length: > 0 } address } && NamespaceOf(instance) == asked.ToString()
                && instance.Metadata.TryGetValue(key, out var port) && IsPort(port))
            {
                found.Add(new ResolvedEndpoint(
                    $"gcs-{instance.Name}-{name}", UrlOf(address, port), new Dictionary<string, string>(StringComparer.Ordinal) { ["instance"] = instance.Name }));
            }
        }

        found.Sort((a, b) => string.CompareOrdinal(a.Id, b.Id));
        return new ResolveResult(name, asked, found, asOf);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ResolveResult> WatchAsync(string name, Namespace? @namespace = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ResolveResult? last = null;
        using var timer = new PeriodicTimer(s_watchInterval, _time);
        do
        {
            var now = await ResolveAsync(name, @namespace, cancellationToken).ConfigureAwait(false);
            if (last is null || !last.Endpoints.Select(one => (one.Id, one.Address)).SequenceEqual(now.Endpoints.Select(one => (one.Id, one.Address))))
            {
                last = now;
                yield return now;
            }
        }
        while (await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false));
    }

    /// <summary>The controller's address: the first running instance, by name, on which <c>fluster-controller</c> is written, a port or a whole URL. Null: there is none.</summary>
    /// <exception cref="VmException">The instances cannot be listed now.</exception>
    public async Task<Uri?> FindControllerAsync(CancellationToken cancellationToken = default)
    {
        (string Name, Uri Address)? first = null;
        await foreach (var instance in _directory.ListAsync(cancellationToken).ConfigureAwait(false))
        {
            if (instance is not { Status: VmStatus.Running, Address: { Length: > 0 } address } || !instance.Metadata.TryGetValue(ControllerKey, out var value))
            {
                continue;
            }

            if (Uri.TryCreate(IsPort(value) ? UrlOf(address, value) : value, UriKind.Absolute, out var controller)
                && (first is not { } known || string.CompareOrdinal(instance.Name, known.Name) < 0))
            {
                first = (instance.Name, controller);
            }
        }

        return first?.Address;
    }

    /// <summary>Writes on an instance that actors are served there, for others' resolvers. What is served off loopback needs the resolvers' token.</summary>
    /// <param name="instance">The instance's name, as its metadata server has it.</param>
    /// <param name="server">A started server.</param>
    /// <param name="cancellationToken">Gives up; some may be written all the same.</param>
    /// <exception cref="VmException">Not all were written.</exception>
    public async Task PublishAsync(string instance, ActorServer server, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(instance);
        ArgumentNullException.ThrowIfNull(server);
        var port = server.Address.Port.ToString(CultureInfo.InvariantCulture);
        await _directory.SetMetadataAsync(instance, NamespaceKey, DefaultNamespace.ToString(), cancellationToken).ConfigureAwait(false);
        foreach (var name in server.ActorNames)
        {
            await _directory.SetMetadataAsync(instance, KeyOf(name), port, cancellationToken).ConfigureAwait(false);
        }
    }

    private static string NamespaceOf(InstanceInfo instance) =>
        instance.Metadata.TryGetValue(NamespaceKey, out var text) ? text : Namespace.Default.ToString();

    private static bool IsPort(string text) => ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port > 0;

    private static string UrlOf(string address, string port) => address.Contains(':', StringComparison.Ordinal) ? $"http://[{address}]:{port}" : $"http://{address}:{port}";
}
