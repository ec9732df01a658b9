namespace Grpc.Core.Interceptors;

public static class CallInvokerExtensions
{
    public static CallInvoker Intercept(this CallInvoker invoker, Interceptor interceptor) =>
        new InterceptingCallInvoker(invoker, interceptor);

    /// <summary>The first of <paramref name="interceptors"/> sees a call first.</summary>
    public static CallInvoker Intercept(this CallInvoker invoker, params Interceptor[] interceptors)
    {
        ArgumentNullException.ThrowIfNull(invoker);
        ArgumentNullException.ThrowIfNull(interceptors);
        return interceptors.Reverse().Aggregate(invoker, Intercept);
    }

    /// <summary>Changes the headers of every call.</summary>
    public static CallInvoker Intercept(this CallInvoker invoker, Func<Metadata, Metadata> interceptor) =>
        new InterceptingCallInvoker(invoker, new HeadersInterceptor(interceptor));

    private sealed class HeadersInterceptor : Interceptor
    {
        private readonly Func<Metadata, Metadata> _change;

        public HeadersInterceptor(Func<Metadata, Metadata> change)
        {
            ArgumentNullException.ThrowIfNull(change);
            _change = change;
        }

        public override TResponse BlockingUnaryCall<TRequest, TResponse>(TRequest request, ClientInterceptorContext<TRequest, TResponse> context, BlockingUnaryCallContinuation<TRequest, TResponse> continuation) =>
            continuation(request, Changed(context));

        public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncUnaryCallContinuation<TRequest, TResponse> continuation) =>
            continuation(request, Changed(context));

        public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncServerStreamingCallContinuation<TRequest, TResponse> continuation) =>
            continuation(request, Changed(context));

        public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(ClientInterceptorContext<TRequest, TResponse> context, AsyncClientStreamingCallContinuation<TRequest, TResponse> continuation) =>
            continuation(Changed(context));

        public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(ClientInterceptorContext<TRequest, TResponse> context, AsyncDuplexStreamingCallContinuation<TRequest, TResponse> continuation) =>
            continuation(Changed(context));

        private ClientInterceptorContext<TRequest, TResponse> Changed<TRequest, TResponse>(ClientInterceptorContext<TRequest, TResponse> context)
            where TRequest : class
            where TResponse : class =>
            new(context.Method, context.Host, context.Options.WithHeaders(_change(context.Options.Headers ?? [])));
    }
}

public static class ChannelExtensions
{
    /// <inheritdoc cref="CallInvokerExtensions.Intercept(CallInvoker, Interceptor)"/>
    public static CallInvoker Intercept(this ChannelBase channel, Interceptor interceptor) =>
        Invoker(channel).Intercept(interceptor);

    /// <inheritdoc cref="CallInvokerExtensions.Intercept(CallInvoker, Interceptor[])"/>
    public static CallInvoker Intercept(this ChannelBase channel, params Interceptor[] interceptors) =>
        Invoker(channel).Intercept(interceptors);

    /// <inheritdoc cref="CallInvokerExtensions.Intercept(CallInvoker, Func{Metadata, Metadata})"/>
    public static CallInvoker Intercept(this ChannelBase channel, Func<Metadata, Metadata> interceptor) =>
        Invoker(channel).Intercept(interceptor);

    private static CallInvoker Invoker(ChannelBase channel)
    {
        ArgumentNullException.ThrowIfNull(channel);
        return channel.CreateCallInvoker();
    }
}
