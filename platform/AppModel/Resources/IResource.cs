using System.Collections.ObjectModel;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.ApplicationModel
{
    /// <summary>A part of the application: a name and what was said about it.</summary>
    public interface IResource
    {
        /// <summary>The name, one of a kind in the application.</summary>
        string Name { get; }

        /// <summary>What was said about the resource.</summary>
        ResourceAnnotationCollection Annotations { get; }
    }

    /// <summary>Something said about a resource.</summary>
    public interface IResourceAnnotation
    {
    }

    /// <summary>A resource that takes environment variables.</summary>
    public interface IResourceWithEnvironment : IResource
    {
    }

    /// <summary>A resource that takes command line arguments.</summary>
    public interface IResourceWithArgs : IResource
    {
    }

    /// <summary>A resource that answers on endpoints.</summary>
    public interface IResourceWithEndpoints : IResource
    {
    }

    /// <summary>A resource that can wait for another before it starts.</summary>
    public interface IResourceWithWaitSupport : IResource
    {
    }

    /// <summary>A resource that belongs to another.</summary>
    public interface IResourceWithParent : IResource
    {
        /// <summary>The resource that this one belongs to.</summary>
        IResource Parent { get; }
    }

    /// <summary>A resource that belongs to another of a known type.</summary>
    public interface IResourceWithParent<out T> : IResourceWithParent
        where T : IResource
    {
        /// <summary>The resource that this one belongs to.</summary>
        new T Parent { get; }

        IResource IResourceWithParent.Parent => Parent;
    }

    /// <summary>The annotations of a resource, in the order in which they were made.</summary>
    public sealed class ResourceAnnotationCollection : Collection<IResourceAnnotation>
    {
    }

    /// <summary>What happens to annotations of the same type that are already there.</summary>
    public enum ResourceAnnotationMutationBehavior
    {
        /// <summary>They stay.</summary>
        Append = 0,

        /// <summary>They go.</summary>
        Replace = 1,
    }

    /// <summary>The base of all resources.</summary>
    public abstract class Resource : IResource
    {
        /// <summary>Makes a resource.</summary>
        protected Resource(string name)
        {
            ModelName.Validate(nameof(Resource), name);
            Name = name;
        }

        /// <inheritdoc/>
        public virtual string Name { get; }

        /// <inheritdoc/>
        public virtual ResourceAnnotationCollection Annotations { get; } = [];

        /// <inheritdoc/>
        public override string ToString() => $"{GetType().Name} '{Name}'";
    }
}

namespace Aspire.Hosting
{
    /// <summary>A resource that other services find by name.</summary>
    public interface IResourceWithServiceDiscovery : IResourceWithEndpoints
    {
    }
}
