using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Aspire.Hosting.Lifecycle;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Aspire.Hosting.Publishing;

/// <summary>An AppHost that was started with <c>--publisher manifest --output-path FILE</c>: it writes, starts nothing, and ends.</summary>
internal static class PublishRun
{
    private const string Publisher = "publisher";
    private const string OutputPath = "output-path";

    public static DistributedApplicationExecutionContextOptions Of(IConfiguration configuration)
    {
        var publisher = configuration[Publisher] ?? configuration["Publishing:Publisher"];
        var publishes = !string.IsNullOrEmpty(publisher) || string.Equals(configuration["operation"] ?? configuration["AppHost:Operation"], "publish", StringComparison.OrdinalIgnoreCase);
        return publishes
            ? new DistributedApplicationExecutionContextOptions(DistributedApplicationOperation.Publish, publisher ?? "")
            : new DistributedApplicationExecutionContextOptions(DistributedApplicationOperation.Run);
    }

    /// <returns>The file that was written.</returns>
    /// <exception cref="DistributedApplicationException">The publisher is not known, nobody said where, or it cannot be written.</exception>
    public static async Task<string> WriteAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        var execution = services.GetRequiredService<DistributedApplicationExecutionContext>();
        if (execution.PublisherName != ManifestPublisher.Name)
        {
            throw new DistributedApplicationException(
                $"The publisher '{execution.PublisherName}' is not known. This application model has one: '--publisher {ManifestPublisher.Name} --{OutputPath} FILE'.");
        }

        var configuration = services.GetRequiredService<IConfiguration>();
        var path = configuration[OutputPath] ?? configuration["Publishing:OutputPath"] ?? configuration["Pipeline:OutputPath"]
            ?? throw new DistributedApplicationException($"'--publisher {ManifestPublisher.Name}' needs '--{OutputPath} FILE', where the manifest goes.");
        var model = services.GetRequiredService<DistributedApplicationModel>();
        var eventing = services.GetRequiredService<IDistributedApplicationEventing>();
        foreach (var subscriber in services.GetServices<IDistributedApplicationEventingSubscriber>())
        {
            await subscriber.SubscribeAsync(eventing, execution, cancellationToken);
        }

        await eventing.PublishAsync(new BeforeStartEvent(services, model), cancellationToken);
        return await new ManifestPublisher(model, execution).WriteAsync(path, cancellationToken);
    }
}
