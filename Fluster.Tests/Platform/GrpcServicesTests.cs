using Fluster.Tests.Platform;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Health.V1;
using Grpc.HealthCheck;
using Grpc.Net.ClientFactory;
using Grpc.Reflection.V1;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using static Grpc.Health.V1.HealthCheckResponse.Types;
using Alpha = Grpc.Reflection.V1Alpha;

namespace Fluster.Tests;

/// <summary>Health, reflection and registered clients, over a socket.</summary>
public sealed class GrpcServicesTests : IAsyncLifetime
{
    private readonly ToggledCheck _disk = new();
    private GrpcTestServer _server = null!;

    public async Task InitializeAsync() =>
        _server = await GrpcTestServer.StartAsync(
            builder =>
            {
                builder.Services.AddGrpcHealthChecks(options => options.Services.Map("disk", check => check.Tags.Contains("disk")))
                    .AddCheck("disk", _disk, tags: ["disk"])
                    .AddCheck("other", () => HealthCheckResult.Degraded());
                builder.Services.AddGrpcReflection();
            },
            app =>
            {
                app.MapGrpcHealthChecksService();
                app.MapGrpcReflectionService();
                app.MapGrpcService<NoteTarget>();
                app.MapGrpcService<ExtendedTarget>();
            });

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [InlineData("")]
    [InlineData("disk")]
    public async Task HealthCheck_FollowsTheChecks_OfItsService(string service)
    {
        var client = new Health.HealthClient(_server.Connect());

        Assert.Equal(ServingStatus.Serving, (await client.CheckAsync(new HealthCheckRequest { Service = service })).Status);
        _disk.Status = HealthStatus.Unhealthy;
        Assert.Equal(ServingStatus.NotServing, (await client.CheckAsync(new HealthCheckRequest { Service = service })).Status);
    }

    [Fact]
    public async Task HealthCheck_UnknownService_IsNotFound()
    {
        var client = new Health.HealthClient(_server.Connect());
        var exception = await Assert.ThrowsAsync<RpcException>(async () => await client.CheckAsync(new HealthCheckRequest { Service = "nobody" }));

        Assert.Equal(StatusCode.NotFound, exception.StatusCode);
    }

    [Fact]
    public async Task HealthWatch_StatusChanges_AreSeen()
    {
        using var watch = new Health.HealthClient(_server.Connect()).Watch(new HealthCheckRequest { Service = "disk" });
        Assert.True(await watch.ResponseStream.MoveNext());
        Assert.Equal(ServingStatus.Serving, watch.ResponseStream.Current.Status);

        await PublishAsync(HealthStatus.Unhealthy);
        Assert.True(await watch.ResponseStream.MoveNext());
        Assert.Equal(ServingStatus.NotServing, watch.ResponseStream.Current.Status);

        await PublishAsync(HealthStatus.Healthy);
        Assert.True(await watch.ResponseStream.MoveNext());
        Assert.Equal(ServingStatus.Serving, watch.ResponseStream.Current.Status);
    }

    [Fact]
    public async Task HealthWatch_UnknownService_StaysOpenUntilItIsKnown()
    {
        using var watch = new Health.HealthClient(_server.Connect()).Watch(new HealthCheckRequest { Service = "late" });
        Assert.True(await watch.ResponseStream.MoveNext());
        Assert.Equal(ServingStatus.ServiceUnknown, watch.ResponseStream.Current.Status);

        _server.Services.GetRequiredService<HealthServiceImpl>().SetStatus("late", ServingStatus.Serving);
        Assert.True(await watch.ResponseStream.MoveNext());
        Assert.Equal(ServingStatus.Serving, watch.ResponseStream.Current.Status);
    }

    [Fact]
    public async Task Reflection_ListServices_NamesAllThatAreMapped()
    {
        var response = await ReflectAsync(new ServerReflectionRequest { ListServices = "*" });

        Assert.Equal(
            ["fluster.platform.v1.ExtendedService", "fluster.platform.v1.NoteService", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"],
            response.ListServicesResponse.Service.Select(service => service.Name));
    }

    [Theory]
    [InlineData("fluster.platform.v1.NoteService")]
    [InlineData("fluster.platform.v1.NoteService.Echo")]
    [InlineData("fluster.platform.v1.Note")]
    [InlineData("fluster.platform.v1.Note.number")]
    [InlineData("fluster.platform.v1.Color.COLOR_RED")]
    public async Task Reflection_Symbol_ComesWithItsFileAndItsImports(string symbol)
    {
        var response = await ReflectAsync(new ServerReflectionRequest { FileContainingSymbol = symbol });

        var files = response.FileDescriptorResponse.FileDescriptorProto.Select(file => FileDescriptorProto.Parser.ParseFrom(file)).ToArray();
        Assert.Equal("fluster/platform/v1/notes.proto", files[0].Name);
        Assert.Equal(
            ["google/protobuf/any.proto", "google/protobuf/struct.proto", "google/protobuf/timestamp.proto"],
            files[1..].Select(file => file.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Reflection_FileByName_IsFound()
    {
        var response = await ReflectAsync(new ServerReflectionRequest { FileByFilename = "google/protobuf/any.proto" });

        Assert.Single(response.FileDescriptorResponse.FileDescriptorProto);
    }

    [Fact]
    public async Task Reflection_Extensions_AreFoundByMessageAndNumber()
    {
        const string Message = "fluster.platform.v1.ExtendRequest";
        var numbers = await ReflectAsync(new ServerReflectionRequest { AllExtensionNumbersOfType = Message });
        var file = await ReflectAsync(new ServerReflectionRequest { FileContainingExtension = new ExtensionRequest { ContainingType = Message, ExtensionNumber = 123 } });

        Assert.Equal([123], numbers.AllExtensionNumbersResponse.ExtensionNumber);
        Assert.Equal("fluster/platform/v1/extended.proto", FileDescriptorProto.Parser.ParseFrom(file.FileDescriptorResponse.FileDescriptorProto[0]).Name);
    }

    [Fact]
    public async Task Reflection_UnknownSymbol_IsNotFound()
    {
        var response = await ReflectAsync(new ServerReflectionRequest { FileContainingSymbol = "no.Such" });

        Assert.Equal((int)StatusCode.NotFound, response.ErrorResponse.ErrorCode);
    }

    [Fact]
    public async Task ReflectionAlpha_ListServices_AnswersToo()
    {
        using var call = new Alpha.ServerReflection.ServerReflectionClient(_server.Connect()).ServerReflectionInfo();
        await call.RequestStream.WriteAsync(new Alpha.ServerReflectionRequest { ListServices = "*" });

        Assert.True(await call.ResponseStream.MoveNext());
        Assert.Equal(5, call.ResponseStream.Current.ListServicesResponse.Service.Count);
    }

    [Fact]
    public async Task RegisteredClient_WithInterceptorAndCredentials_Calls()
    {
        var services = new ServiceCollection();
        services.AddScoped<EchoHeader>();
        services.AddGrpcClient<NoteService.NoteServiceClient>(options => options.Address = new Uri(_server.Address))
            .AddInterceptor<EchoHeader>(InterceptorScope.Client)
            .ConfigureChannel(channel => channel.UnsafeUseInsecureChannelCallCredentials = true)
            .AddCallCredentials((context, metadata) =>
            {
                metadata.Add("x-echo", context.MethodName);
                return Task.CompletedTask;
            });
        await using var provider = services.BuildServiceProvider(validateScopes: true);
        await using var scope = provider.CreateAsyncScope();
        var call = scope.ServiceProvider.GetRequiredService<NoteService.NoteServiceClient>().EchoAsync(new EchoRequest());
        await call;

        // The server echoes the last of them.
        Assert.Equal("Echo", (await call.ResponseHeadersAsync).GetValue("x-echo"));
        Assert.Equal(1, scope.ServiceProvider.GetRequiredService<EchoHeader>().Calls);
    }

    [Fact]
    public async Task RegisteredClient_TwoNames_HaveTheirOwnAddresses()
    {
        var services = new ServiceCollection();
        services.AddGrpcClient<NoteService.NoteServiceClient>("here", options => options.Address = new Uri(_server.Address));
        services.AddGrpcClient<NoteService.NoteServiceClient>("nowhere", options => options.Address = new Uri("http://127.0.0.1:1"));
        await using var provider = services.BuildServiceProvider();
        var factory = provider.GetRequiredService<GrpcClientFactory>();

        await factory.CreateClient<NoteService.NoteServiceClient>("here").EchoAsync(new EchoRequest());
        var exception = await Assert.ThrowsAsync<RpcException>(async () =>
            await factory.CreateClient<NoteService.NoteServiceClient>("nowhere").EchoAsync(new EchoRequest()));
        Assert.Equal(StatusCode.Unavailable, exception.StatusCode);
        Assert.Throws<InvalidOperationException>(() => factory.CreateClient<NoteService.NoteServiceClient>("unknown"));
    }

    private async Task<ServerReflectionResponse> ReflectAsync(ServerReflectionRequest request)
    {
        using var call = new ServerReflection.ServerReflectionClient(_server.Connect()).ServerReflectionInfo();
        await call.RequestStream.WriteAsync(request);
        await call.RequestStream.CompleteAsync();
        Assert.True(await call.ResponseStream.MoveNext());
        return call.ResponseStream.Current;
    }

    // What the periodic run does, without its period.
    private async Task PublishAsync(HealthStatus disk)
    {
        _disk.Status = disk;
        var report = await _server.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync();
        await Assert.Single(_server.Services.GetServices<IHealthCheckPublisher>()).PublishAsync(report, CancellationToken.None);
    }

    private sealed class ToggledCheck : IHealthCheck
    {
        public HealthStatus Status { get; set; } = HealthStatus.Healthy;

        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
            Task.FromResult(new HealthCheckResult(Status));
    }

    private sealed class EchoHeader : Interceptor
    {
        public int Calls { get; private set; }

        public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncUnaryCallContinuation<TRequest, TResponse> continuation)
        {
            Calls++;
            return continuation(request, context);
        }
    }

    private sealed class ExtendedTarget : ExtendedService.ExtendedServiceBase;
}
