using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Fluster.GcpEmulator;

/// <summary>The emulator as a web application: run by its program, or inside a test.</summary>
internal static class GcpEmulatorApp
{
    /// <exception cref="ArgumentException">An argument is unknown or wrong.</exception>
    public static WebApplication Build(params string[] args) => Build(args, _ => { });

    /// <param name="args">As on the command line of the program.</param>
    /// <param name="replace">Puts something in the place of services, for who runs it inside another program.</param>
    /// <exception cref="ArgumentException">An argument is unknown or wrong.</exception>
    public static WebApplication Build(string[] args, Action<IServiceCollection> replace)
    {
        var options = EmulatorOptions.Parse(args);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = typeof(GcpEmulatorApp).Assembly.GetName().Name });
        builder.WebHost.UseKestrelCore().UseUrls(options.Urls);
        builder.Services.AddRoutingCore();
        builder.Services.AddRequestDecompression(); // Google's own clients send gzip
        builder.Logging.AddSimpleConsole(console => console.SingleLine = true).SetMinimumLevel(LogLevel.Warning).AddFilter("Fluster", LogLevel.Information);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton<IMachineRunner>(services => options.RunDirectory is { } directory
            ? new ProcessRunner(directory, services.GetRequiredService<TimeProvider>(), services.GetRequiredService<ILogger<ProcessRunner>>())
            : new NoRunner());
        builder.Services.AddSingleton<EmulatedCloud>();
        builder.Services.AddHostedService<EmulatorClock>();
        replace(builder.Services);

        var app = builder.Build();
        var cloud = app.Services.GetRequiredService<EmulatedCloud>();
        var time = app.Services.GetRequiredService<TimeProvider>();
        cloud.Runner.MetadataHost = machine => $"{AddressOf(app).Authority}/_vm/{machine.Host}";

        // Before the server stops, which waits for what is asked: machines wait for news from their metadata server.
        app.Lifetime.ApplicationStopping.Register(() =>
        {
            lock (cloud.Gate)
            {
                cloud.Reset();
            }
        });
        app.UseRequestDecompression();
        app.Use(next => context => new EmulatorRequests(cloud, time, next).InvokeAsync(context));
        app.UseRouting();
        ComputeRoutes.Map(app, cloud, time);
        TpuRoutes.Map(app, cloud);
        MetadataRoutes.Map(app, cloud, time);
        ControlRoutes.Map(app, cloud);
        return app;
    }

    /// <summary>Where a started emulator listens.</summary>
    public static Uri AddressOf(WebApplication app) =>
        new(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault() ?? throw new InvalidOperationException("The emulator does not listen yet."));

    /// <summary>Makes things true in time, also when nobody asks; at the end, everything is gone.</summary>
    private sealed class EmulatorClock(EmulatedCloud cloud, TimeProvider time) : BackgroundService
    {
        private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(20);

        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            using var timer = new PeriodicTimer(s_tick, time);
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                lock (cloud.Gate)
                {
                    cloud.Advance();
                }
            }
        }

        public override async Task StopAsync(CancellationToken cancellationToken)
        {
            await base.StopAsync(cancellationToken);
            lock (cloud.Gate)
            {
                cloud.Reset();
            }

            if (cloud.Runner is ProcessRunner processes)
            {
                await processes.EndAsync();
            }
        }
    }
}
