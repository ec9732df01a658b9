using System.ComponentModel;

namespace Grpc.Core;

/// <summary>A service whose methods are bound to their implementations. Immutable.</summary>
public class ServerServiceDefinition
{
    private readonly List<Action<ServiceBinderBase>> _methods;

    private ServerServiceDefinition(List<Action<ServiceBinderBase>> methods) => _methods = methods;

    public static Builder CreateBuilder() => new();

    /// <summary>For server libraries: hands every method to <paramref name="serviceBinder"/>.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void BindService(ServiceBinderBase serviceBinder)
    {
        foreach (var addTo in _methods)
        {
            addTo(serviceBinder);
        }
    }

    /// <summary>Collects the methods of a service.</summary>
    public class Builder
    {
        private readonly HashSet<string> _names = new(StringComparer.Ordinal);
        private readonly List<Action<ServiceBinderBase>> _methods = [];

        public Builder AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse> handler)
            where TRequest : class
            where TResponse : class =>
            Add(method, binder => binder.AddMethod(method, handler));

        public Builder AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ClientStreamingServerMethod<TRequest, TResponse> handler)
            where TRequest : class
            where TResponse : class =>
            Add(method, binder => binder.AddMethod(method, handler));

        public Builder AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse> handler)
            where TRequest : class
            where TResponse : class =>
            Add(method, binder => binder.AddMethod(method, handler));

        public Builder AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse> handler)
            where TRequest : class
            where TResponse : class =>
            Add(method, binder => binder.AddMethod(method, handler));

        public ServerServiceDefinition Build() => new([.. _methods]);

        private Builder Add(IMethod method, Action<ServiceBinderBase> addTo)
        {
            if (!_names.Add(method.FullName))
            {
                throw new ArgumentException($"The service has the method {method.FullName} already.", nameof(method));
            }

            _methods.Add(addTo);
            return this;
        }
    }
}
