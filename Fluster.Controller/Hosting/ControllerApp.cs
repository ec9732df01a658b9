using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;

namespace Fluster.Controller;

/// <summary>Puts a controller together.</summary>
internal static class ControllerApp
{
    /// <summary>Arguments of a command may have 4 MiB, and the environment comes on top.</summary>
    private const int MostMessage = 8 << 20;

    /// <summary>Each costs memory before it has shown a token. A worker has two, a client one.</summary>
    private const int MostConnections = 20_000;

    /// <summary>A worker may be sent all its attempts in one frame.</summary>
    private const int MostSent = 64 << 20;

    /// <summary>A controller that is ready to be run: its directory is open and locked, so that one that cannot be used is found before anything is served.</summary>
    /// <param name="builder">The settings, and where it logs.</param>
    /// <param name="onFatal">What to do when its state in memory is not the one on the disk any more.</param>
    /// <exception cref="StoreException">The directory cannot be used.</exception>
    public static WebApplication Build(WebApplicationBuilder builder, Action<Exception> onFatal)
    {
        builder.AddController(onFatal);
        var app = builder.Build();
        _ = app.Services.GetRequiredService<ClusterLoop>();
        _ = app.Services.GetRequiredService<VmSources>(); // with settings that are wrong it does not start
        KeyFiles.WriteAdminToken(app.Services);
        app.MapController();
        return app;
    }

    public static void AddController(this WebApplicationBuilder builder, Action<Exception> onFatal)
    {
        builder.AddServiceDefaults();
        builder.AddRedisClient("registry");
        var services = builder.Services;
        services.AddOptions<ControllerOptions>().BindConfiguration(ControllerOptions.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<ControllerOptions>, ControllerOptionsRules>();
        services.AddSingleton<IValidateOptions<ControllerOptions>, ListenerRules>();
        services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(20));

        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(provider => OpenedCluster.Open(SettingsOf(provider).DataDirectory));
        services.AddSingleton(provider => KeyFiles.Load(provider.GetRequiredService<OpenedCluster>().Directory, SettingsOf(provider).ClusterKey));
        services.AddSingleton(provider => ServerCertificate.Load(
            provider.GetRequiredService<OpenedCluster>().Directory, builder.Configuration, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(provider => LoopOf(provider, onFatal));
        services.AddSingleton(provider => new ArchiveReader(provider.GetRequiredService<OpenedCluster>().Directory.DatabasePath));
        services.AddSingleton(provider => new LogStore(DirectoryOf(provider)));
        services.AddSingleton(provider => new SpanStore(DirectoryOf(provider), provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<SpanStore>>()));
        services.AddSingleton(provider => new RootRate(provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(provider => new BlobStore(DirectoryOf(provider), provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(provider => new DiskSpace(DirectoryOf(provider), ByteSize.Parse(SettingsOf(provider).DiskReserve).Bytes, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(provider => VmBackendOptions.Open(
            SettingsOf(provider), builder.Configuration, provider.GetRequiredService<OpenedCluster>(), provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILoggerFactory>()));
        foreach (var type in s_parts)
        {
            services.AddSingleton(type);
        }

        services.AddHostedService(provider => provider.GetRequiredService<ControllerRuntime>());
        services.AddHostedService<Upkeep>();
        services.AddDashboard();
        services.AddHostedService<VmShutdown>(); // after the runtime, and so asked to stop before it
        services.AddGrpc(grpc =>
        {
            grpc.Interceptors.Add<RejectionInterceptor>();
            grpc.IgnoreUnknownServices = false;
        });
        services.AddRpcLimits(new Rpc.RpcLimits { MaxMessageSize = MostMessage });
        services.PostConfigure<Grpc.AspNetCore.Server.GrpcServiceOptions>(grpc => grpc.MaxSendMessageSize = MostSent);
        services.AddGrpcHealthChecks();
        services.AddGrpcReflection();
        services.Configure<KestrelServerOptions>(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = MostMessage;
            kestrel.Limits.MaxConcurrentConnections = MostConnections;
        });
        services.AddOptions<KestrelServerOptions>().Configure<IServiceProvider>((kestrel, provider) =>
            kestrel.ConfigureHttpsDefaults(https => https.ServerCertificate ??= provider.GetRequiredService<ServerCertificate>().Certificate));
    }

    public static void MapController(this WebApplication app)
    {
        app.UseMiddleware<TokenGate>();
        app.MapDefaultEndpoints();
        app.MapConnectService<ControllerService>();
        app.MapGrpcHealthChecksService();
        app.MapGrpcReflectionService();
        app.MapGet(WorkerArchive.Path, (WorkerArchive worker) => worker.Serve());
        app.MapDashboard();
    }

    private static readonly Type[] s_parts =
    [
        typeof(TokenVerifier), typeof(TokenCheck), typeof(CallRates), typeof(TokenIssuer), typeof(AttemptSpecs),
        typeof(WorkerLinks), typeof(SchedulerService), typeof(JobWatches), typeof(EndpointProjection), typeof(EndpointFeed), typeof(ActionLog), typeof(JobTracer), typeof(TraceCalls), typeof(RuntimeListeners), typeof(ShutdownSignal),
        typeof(BlobChecks), typeof(BlobCollector), typeof(LastLines),
        typeof(JobInfos), typeof(ServedAddresses),
        typeof(JobCalls), typeof(JobListing), typeof(LogCalls), typeof(BlobCalls), typeof(WorkerCalls), typeof(EndpointCalls), typeof(RegistrationCalls), typeof(EndpointWatchCalls), typeof(ActionCalls),
        typeof(ClusterCalls), typeof(TrustCalls), typeof(WorkerAdmission), typeof(VmCalls),
        typeof(VmPlannerService), typeof(WorkerArchive), typeof(VmRequests), typeof(VmService), typeof(VmWatch), typeof(VmFarewell),
        typeof(ControllerService), typeof(ControllerRuntime),
    ];

    private static ControllerOptions SettingsOf(IServiceProvider provider) => provider.GetRequiredService<IOptions<ControllerOptions>>().Value;

    private static string DirectoryOf(IServiceProvider provider) => provider.GetRequiredService<OpenedCluster>().Directory.FullPath;

    private static ClusterLoop LoopOf(IServiceProvider provider, Action<Exception> onFatal)
    {
        var settings = SettingsOf(provider);
        var opened = provider.GetRequiredService<OpenedCluster>();
        return new ClusterLoop(
            opened.State,
            new JobDirectory(),
            opened.Store,
            new LeaseSettings(settings.WorkerSuspectSeconds, settings.WorkerLostSeconds, settings.RegistrationLostSeconds),
            provider.GetRequiredService<TimeProvider>(),
            onFatal,
            provider.GetRequiredService<ILogger<ClusterLoop>>());
    }
}
