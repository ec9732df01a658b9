namespace Grpc.Core;

/// <summary>Receives the methods of a service, one by one. A server library overrides what it can serve; the rest throws, as in the published package.</summary>
public class ServiceBinderBase
{
    /// <param name="method">Name, type and marshallers.</param>
    /// <param name="handler">The implementation; null where the library finds it itself, by the method's name.</param>
    public virtual void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse>? handler)
        where TRequest : class
        where TResponse : class =>
        throw new NotImplementedException();

    /// <inheritdoc cref="AddMethod{TRequest, TResponse}(Method{TRequest, TResponse}, UnaryServerMethod{TRequest, TResponse}?)"/>
    public virtual void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ClientStreamingServerMethod<TRequest, TResponse>? handler)
        where TRequest : class
        where TResponse : class =>
        throw new NotImplementedException();

    /// <inheritdoc cref="AddMethod{TRequest, TResponse}(Method{TRequest, TResponse}, UnaryServerMethod{TRequest, TResponse}?)"/>
    public virtual void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse>? handler)
        where TRequest : class
        where TResponse : class =>
        throw new NotImplementedException();

    /// <inheritdoc cref="AddMethod{TRequest, TResponse}(Method{TRequest, TResponse}, UnaryServerMethod{TRequest, TResponse}?)"/>
    public virtual void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse>? handler)
        where TRequest : class
        where TResponse : class =>
        throw new NotImplementedException();
}

/// <summary>On a generated service base: where its BindService method is.</summary>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = false)]
public class BindServiceMethodAttribute(Type bindType, string bindMethodName) : Attribute
{
    public Type BindType { get; } = bindType;

    public string BindMethodName { get; } = bindMethodName;
}
