namespace Aspire.Hosting.Testing;

/// <summary>The builder of an application that is tested. Disposing it ends the application, and the AppHost that it came from.</summary>
public interface IDistributedApplicationTestingBuilder : IDistributedApplicationBuilder, IAsyncDisposable, IDisposable
{
    /// <summary>Makes the application. It runs when <see cref="DistributedApplication.StartAsync"/> is called.</summary>
    Task<DistributedApplication> BuildAsync(CancellationToken cancellationToken = default);
}
