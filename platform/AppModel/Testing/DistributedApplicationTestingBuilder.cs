using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.Testing;

/// <summary>
/// Makes applications to be tested: with ports of their own, so that they run side by side, without a dashboard, and in the environment "Development". A resource that waits for
/// one that has failed fails too, instead of waiting until somebody starts it again.
/// </summary>
public static class DistributedApplicationTestingBuilder
{
    /// <summary>Runs the program of an AppHost up to <see cref="IDistributedApplicationBuilder.Build"/>, and hands over its builder.</summary>
    /// <typeparam name="TEntryPoint">A type of the AppHost's assembly: <c>Projects.My_AppHost</c>.</typeparam>
    /// <exception cref="InvalidOperationException">The assembly has no entry point, or it ended without an application.</exception>
    public static Task<IDistributedApplicationTestingBuilder> CreateAsync<TEntryPoint>(CancellationToken cancellationToken = default)
        where TEntryPoint : class => CreateAsync<TEntryPoint>([], cancellationToken);

    /// <summary>The same, with arguments for the program.</summary>
    public static Task<IDistributedApplicationTestingBuilder> CreateAsync<TEntryPoint>(string[] args, CancellationToken cancellationToken = default)
        where TEntryPoint : class => CreateAsync<TEntryPoint>(args, static (_, _) => { }, cancellationToken);

    /// <summary>The same, with a say in how its builder is made.</summary>
    public static Task<IDistributedApplicationTestingBuilder> CreateAsync<TEntryPoint>(
        string[] args, Action<DistributedApplicationOptions, HostApplicationBuilderSettings> configureBuilder, CancellationToken cancellationToken = default) =>
        CreateAsync(typeof(TEntryPoint), args, configureBuilder, cancellationToken);

    /// <summary>Runs the program of an AppHost up to <see cref="IDistributedApplicationBuilder.Build"/>, and hands over its builder.</summary>
    public static Task<IDistributedApplicationTestingBuilder> CreateAsync(Type entryPoint, CancellationToken cancellationToken = default) =>
        CreateAsync(entryPoint, [], cancellationToken);

    /// <summary>The same, with arguments for the program.</summary>
    public static Task<IDistributedApplicationTestingBuilder> CreateAsync(Type entryPoint, string[] args, CancellationToken cancellationToken = default) =>
        CreateAsync(entryPoint, args, static (_, _) => { }, cancellationToken);

    /// <summary>The same, with a say in how its builder is made.</summary>
    public static async Task<IDistributedApplicationTestingBuilder> CreateAsync(
        Type entryPoint, string[] args, Action<DistributedApplicationOptions, HostApplicationBuilderSettings> configureBuilder, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(entryPoint);
        ArgumentNullException.ThrowIfNull(args);
        ArgumentNullException.ThrowIfNull(configureBuilder);
        var run = EntryPointRun.Start(entryPoint.Assembly, args, configureBuilder);
        try
        {
            return new TestingBuilder(await run.Builder.WaitAsync(cancellationToken), run);
        }
        catch
        {
            await run.EndAsync();
            throw;
        }
    }

    /// <summary>Makes an application that has no AppHost.</summary>
    public static IDistributedApplicationTestingBuilder Create(params string[] args) => Create(args, static (_, _) => { });

    /// <summary>Makes an application that has no AppHost, with a say in how its builder is made.</summary>
    public static IDistributedApplicationTestingBuilder Create(string[] args, Action<DistributedApplicationOptions, HostApplicationBuilderSettings> configureBuilder)
    {
        ArgumentNullException.ThrowIfNull(args);
        ArgumentNullException.ThrowIfNull(configureBuilder);
        var (options, settings) = (new DistributedApplicationOptions { Args = args }, new HostApplicationBuilderSettings());
        Prepare(options, settings, configureBuilder);
        return new TestingBuilder(new DistributedApplicationBuilder(options, settings), run: null);
    }

    /// <summary>What is different for tests.</summary>
    internal static void Prepare(
        DistributedApplicationOptions options, HostApplicationBuilderSettings settings, Action<DistributedApplicationOptions, HostApplicationBuilderSettings> configure)
    {
        options.DisableDashboard = true;
        settings.EnvironmentName = Environments.Development;
        settings.Configuration = new ConfigurationManager();
        settings.Configuration.AddInMemoryCollection([new KeyValuePair<string, string?>(Running.EndpointAllocator.RandomizePorts, "true")]);
        configure(options, settings);
    }
}
