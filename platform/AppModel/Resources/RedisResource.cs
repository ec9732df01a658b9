using Aspire.Hosting.Running;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>
/// A Redis server: a container when there is an engine that has or gets the image, else the machine's own
/// redis-server, else not started. Then the connection string is null and who needs it optionally goes without.
/// </summary>
public class RedisResource : ContainerResource, IResourceWithConnectionString
{
    internal const string PrimaryEndpointName = "tcp";

    /// <summary>Makes a Redis resource without a password.</summary>
    public RedisResource(string name)
        : base(name) => PrimaryEndpoint = new EndpointReference(this, PrimaryEndpointName);

    /// <summary>Makes a Redis resource.</summary>
    public RedisResource(string name, ParameterResource password)
        : this(name) => PasswordParameter = password;

    /// <summary>Where the server answers.</summary>
    public EndpointReference PrimaryEndpoint { get; }

    /// <summary>The server's host.</summary>
    public EndpointReferenceExpression Host => PrimaryEndpoint.Property(EndpointProperty.Host);

    /// <summary>The server's port.</summary>
    public EndpointReferenceExpression Port => PrimaryEndpoint.Property(EndpointProperty.Port);

    /// <summary>The server's password; null when it has none.</summary>
    public ParameterResource? PasswordParameter { get; internal set; }

    /// <summary>A StackExchange.Redis configuration: <c>localhost:6379,password=…</c>.</summary>
    public ReferenceExpression ConnectionStringExpression
    {
        get
        {
            var builder = new ReferenceExpressionBuilder();
            builder.Append($"{PrimaryEndpoint.Property(EndpointProperty.HostAndPort)}");
            if (PasswordParameter is { } password)
            {
                builder.Append($",password={password}");
            }

            return builder.Build();
        }
    }

    /// <summary>A URI: <c>redis://:password@localhost:6379</c>.</summary>
    public ReferenceExpression UriExpression
    {
        get
        {
            var builder = new ReferenceExpressionBuilder();
            builder.AppendLiteral("redis://");
            if (PasswordParameter is { } password)
            {
                builder.Append($":{password}@");
            }

            builder.Append($"{PrimaryEndpoint.Property(EndpointProperty.HostAndPort)}");
            return builder.Build();
        }
    }

    /// <summary>The connection string; null when the server was not started.</summary>
    public ValueTask<string?> GetConnectionStringAsync(CancellationToken cancellationToken = default) =>
        this.NotStartedReason() is null ? ConnectionStringExpression.GetValueAsync(cancellationToken) : new ValueTask<string?>((string?)null);

    IEnumerable<KeyValuePair<string, ReferenceExpression>> IResourceWithConnectionString.GetConnectionProperties()
    {
        yield return new("Host", ReferenceExpression.Create($"{Host}"));
        yield return new("Port", ReferenceExpression.Create($"{Port}"));
        if (PasswordParameter is { } password)
        {
            yield return new("Password", ReferenceExpression.Create($"{password}"));
        }

        yield return new("Uri", UriExpression);
    }
}
