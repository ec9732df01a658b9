using System.Net;
using Fluster.Rpc;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Fluster.Benchmarks;

/// <summary>A web server that gives back what it gets, in a bare HTTP/2 POST and in a unary gRPC call.</summary>
internal static class EchoWeb
{
    public static async Task<(string Address, WebApplication Application)> ServeAsync(CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddRpcLimits().AddGrpc();
        var app = builder.Build();
        app.MapGrpcService<EchoTarget>();
        app.MapPost("/bare", (RequestDelegate)PostAsync);
        await app.StartAsync(cancellationToken);
        return (app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single(), app);
    }

    public static HttpClient Http(string address) => new(RpcChannel.CreateHandler())
    {
        BaseAddress = new Uri(address), DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };

    public static Func<Task> Post(HttpClient http, int size)
    {
        var body = new byte[size];
        return async () =>
        {
            using var content = new ByteArrayContent(body);
            using var response = await http.PostAsync("/bare", content);
            Check((await response.Content.ReadAsByteArrayAsync()).Length, size);
        };
    }

    /// <param name="client">The client.</param>
    /// <param name="size">The bytes of the message's one field.</param>
    public static Func<Task> Grpc(EchoService.EchoServiceClient client, int size)
    {
        var request = new EchoRequest { Body = ByteString.CopyFrom(new byte[size]) };
        return async () => Check((await client.EchoAsync(request)).Body.Length, size);
    }

    private static void Check(int length, int sent)
    {
        if (length != sent)
        {
            throw new InvalidOperationException("The echo has another length.");
        }
    }

    private static async Task PostAsync(HttpContext context)
    {
        var body = new byte[(int)context.Request.ContentLength!];
        await context.Request.Body.ReadExactlyAsync(body);
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body);
    }

    private sealed class EchoTarget : EchoService.EchoServiceBase
    {
        public override Task<EchoResponse> Echo(EchoRequest request, ServerCallContext context) => Task.FromResult(new EchoResponse { Body = request.Body });
    }
}
