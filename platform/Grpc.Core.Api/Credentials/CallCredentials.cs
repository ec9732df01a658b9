using System.Collections.ObjectModel;

namespace Grpc.Core;

/// <summary>What an interceptor of credentials is told about the call.</summary>
public class AuthInterceptorContext
{
    public AuthInterceptorContext(string serviceUrl, string methodName)
        : this(serviceUrl, methodName, CancellationToken.None)
    {
    }

    public AuthInterceptorContext(string serviceUrl, string methodName, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(serviceUrl);
        ArgumentNullException.ThrowIfNull(methodName);
        ServiceUrl = serviceUrl;
        MethodName = methodName;
        CancellationToken = cancellationToken;
    }

    public string ServiceUrl { get; }

    public string MethodName { get; }

    public CancellationToken CancellationToken { get; }
}

/// <summary>Adds credentials to the headers of a call that is about to start.</summary>
public delegate Task AsyncAuthInterceptor(AuthInterceptorContext context, Metadata metadata);

/// <summary>Credentials that go with each call, such as a token in a header.</summary>
public abstract class CallCredentials
{
    public static CallCredentials Compose(params CallCredentials[] credentials) => new Composite(credentials);

    public static CallCredentials FromInterceptor(AsyncAuthInterceptor interceptor) => new Intercepted(interceptor);

    /// <summary>For client libraries: calls back the method of <paramref name="configurator"/> that fits.</summary>
    public abstract void InternalPopulateConfiguration(CallCredentialsConfiguratorBase configurator, object? state);

    private sealed class Composite : CallCredentials
    {
        private readonly ReadOnlyCollection<CallCredentials> _parts;

        public Composite(CallCredentials[] parts)
        {
            ArgumentNullException.ThrowIfNull(parts);
            if (parts.Length < 2)
            {
                throw new ArgumentException("Composite credentials need two or more parts.", nameof(parts));
            }

            _parts = new ReadOnlyCollection<CallCredentials>([.. parts]);
        }

        public override void InternalPopulateConfiguration(CallCredentialsConfiguratorBase configurator, object? state) =>
            configurator.SetCompositeCredentials(state, _parts);
    }

    private sealed class Intercepted : CallCredentials
    {
        private readonly AsyncAuthInterceptor _interceptor;

        public Intercepted(AsyncAuthInterceptor interceptor)
        {
            ArgumentNullException.ThrowIfNull(interceptor);
            _interceptor = interceptor;
        }

        public override void InternalPopulateConfiguration(CallCredentialsConfiguratorBase configurator, object? state) =>
            configurator.SetAsyncAuthInterceptorCredentials(state, _interceptor);
    }
}

/// <summary>For client libraries: learns what call credentials consist of.</summary>
public abstract class CallCredentialsConfiguratorBase
{
    public abstract void SetCompositeCredentials(object? state, IReadOnlyList<CallCredentials> credentials);

    public abstract void SetAsyncAuthInterceptorCredentials(object? state, AsyncAuthInterceptor interceptor);
}
