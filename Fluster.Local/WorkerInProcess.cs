using System.Globalization;
using Fluster.Worker;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Fluster.Local;

/// <summary>A worker as it runs by itself, with the whole machine, without what a program of its own has: settings files, the environment, signals, the console.</summary>
internal sealed class WorkerInProcess : IAsyncDisposable
{
    private const string Id = "local";

    private static readonly TimeSpan s_tokenLifetime = TimeSpan.FromDays(30);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan s_startPatience = TimeSpan.FromSeconds(60);

    private readonly IHost _host;

    private WorkerInProcess(IHost host) => _host = host;

    /// <exception cref="LocalClusterException">It cannot work on this machine, or in its directory.</exception>
    public static async Task<WorkerInProcess> StartAsync(ClusterDirectory directory, LocalClusterOptions options, string controller, CancellationToken cancellationToken)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { ApplicationName = typeof(WorkerHosting).Assembly.GetName().Name });
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            [$"{WorkerOptions.Section}:{nameof(WorkerOptions.Id)}"] = Id,
            [$"{WorkerOptions.Section}:{nameof(WorkerOptions.Token)}"] = Tokens.Sign(directory.Key, new TokenClaims { Role = TokenRoles.Worker, Worker = Id, ExpiresAt = 0 }, s_tokenLifetime),
            [$"{WorkerOptions.Section}:{nameof(WorkerOptions.DataDirectory)}"] = directory.Worker,
            [$"{WorkerOptions.Section}:{nameof(WorkerOptions.ControllerAddress)}"] = controller,
            [$"{WorkerOptions.Section}:{nameof(WorkerOptions.MaxConcurrentJobs)}"] = options.MaxConcurrentJobs.ToString(CultureInfo.InvariantCulture),

            // Whoever runs a cluster in their own program runs their own jobs on their own files.
            [$"{WorkerOptions.Section}:{nameof(WorkerOptions.IsolateAttempts)}"] = "false",
        });
        builder.AddServiceDefaults();
        builder.Services.AddWorker();
        HostInProcess.Prepare(builder.Services, options.LoggerFactory);
        var host = builder.Build();
        try
        {
            await host.StartAsync(cancellationToken).ConfigureAwait(false);
            return new WorkerInProcess(host);
        }
        catch (Exception exception)
        {
            host.Dispose();
            throw exception is WorkerStartException or OptionsValidationException
                ? new LocalClusterException($"The worker of a LocalCluster cannot start: {exception.Message}", exception)
                : exception;
        }
    }

    /// <summary>Returns when the controller gives it jobs.</summary>
    public static async Task TakesJobsAsync(FlusterClient client, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(s_startPatience, TimeProvider.System);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            while (true)
            {
                var workers = await client.Calls.CallAsync((service, options) => service.ListWorkersAsync(new V1.ListWorkersRequest(), options), stop.Token).ConfigureAwait(false);
                if (workers.Workers.Any(worker => worker is { WorkerId: Id, State: "Alive", Health: not null }))
                {
                    return;
                }

                await Task.Delay(s_look, TimeProvider.System, stop.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new LocalClusterException($"The worker of a LocalCluster did not reach its controller within {s_startPatience.TotalSeconds} s.", exception);
        }
    }

    public void Preempt(JobId job, TimeSpan notice) => _host.Services.GetServices<IHostedService>().OfType<WorkerService>().Single().Preempt(job, notice);

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync(CancellationToken.None).ConfigureAwait(false);
        _host.Dispose();
    }
}
