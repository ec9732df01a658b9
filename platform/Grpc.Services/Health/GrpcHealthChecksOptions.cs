using System.Collections;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Grpc.AspNetCore.HealthChecks;

/// <summary>Which health checks stand behind which service name.</summary>
public sealed class GrpcHealthChecksOptions
{
    /// <summary>At first: "" with all checks.</summary>
    public ServiceMappingCollection Services { get; } = [];
}

/// <summary>Service names with their checks; a name is there at most once.</summary>
public sealed class ServiceMappingCollection : ICollection<ServiceMapping>
{
    private readonly List<ServiceMapping> _mappings = [];

    public int Count => _mappings.Count;

    bool ICollection<ServiceMapping>.IsReadOnly => false;

    /// <summary>Says which checks count for <paramref name="name"/>; replaces what was said before.</summary>
    public void Map(string name, Func<HealthCheckMapContext, bool> predicate)
    {
        Remove(name);
        Add(new ServiceMapping(name, predicate));
    }

    public void Add(ServiceMapping mapping)
    {
        ArgumentNullException.ThrowIfNull(mapping);
        if (_mappings.Exists(known => known.Name == mapping.Name))
        {
            throw new ArgumentException($"The service '{mapping.Name}' is mapped already.", nameof(mapping));
        }

        _mappings.Add(mapping);
    }

    public void Remove(string name) => _mappings.RemoveAll(mapping => mapping.Name == name);

    public void Clear() => _mappings.Clear();

    public IEnumerator<ServiceMapping> GetEnumerator() => _mappings.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    void ICollection<ServiceMapping>.CopyTo(ServiceMapping[] array, int arrayIndex) => _mappings.CopyTo(array, arrayIndex);

    bool ICollection<ServiceMapping>.Contains(ServiceMapping item) => _mappings.Contains(item);

    bool ICollection<ServiceMapping>.Remove(ServiceMapping item) => _mappings.Remove(item);
}

/// <summary>One service name and the checks that count for it.</summary>
public sealed class ServiceMapping
{
    public ServiceMapping(string name, Func<HealthCheckMapContext, bool> predicate)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(predicate);
        Name = name;
        HealthCheckPredicate = predicate;
    }

    public string Name { get; }

    public Func<HealthCheckMapContext, bool>? HealthCheckPredicate { get; }

    internal bool Covers(HealthCheckRegistration check) => HealthCheckPredicate!(new HealthCheckMapContext(check.Name, check.Tags));
}

/// <summary>A health check that may count for a service.</summary>
public sealed class HealthCheckMapContext(string name, IEnumerable<string> tags)
{
    public string Name { get; } = name;

    public IEnumerable<string> Tags { get; } = tags;
}
