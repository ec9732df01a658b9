using System.Net;
using System.Net.Sockets;
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

/// <summary>What actor calls are compared with: a bare socket, a bare HTTP/2 POST to Kestrel, and unary gRPC.</summary>
internal static class EchoBaselines
{
    /// <summary>Starts all servers. Gives the port of the bare socket and the address of the web server.</summary>
    public static async Task<(int Port, string Address, WebApplication Application)> ServeAsync(CancellationToken cancellationToken)
    {
        var listener = new Socket(SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        _ = AcceptAsync(listener);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddRpcLimits().AddGrpc();
        var app = builder.Build();
        app.MapGrpcService<EchoTarget>();
        app.MapPost("/bare", (RequestDelegate)PostAsync);
        await app.StartAsync(cancellationToken);
        return (((IPEndPoint)listener.LocalEndPoint!).Port, app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single(), app);
    }

    /// <summary>Sends so many bytes over a bare socket and waits for them to come back; one such exchange at a time.</summary>
    public static async Task<Func<Task>> SocketAsync(int port, int size, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port, cancellationToken);
        await socket.SendAsync(BitConverter.GetBytes(size));
        var message = new byte[size];
        return async () =>
        {
            await SendAllAsync(socket, message);
            await ReceiveAllAsync(socket, message);
        };
    }

    public static Func<Task> Post(HttpClient http, int size)
    {
        var body = new byte[size];
        return async () =>
        {
            using var content = new ByteArrayContent(body);
            using var response = await http.PostAsync("/bare", content);
            if ((await response.Content.ReadAsByteArrayAsync()).Length != size)
            {
                throw new InvalidOperationException("The echo has another length.");
            }
        };
    }

    public static Func<Task> Grpc(EchoService.EchoServiceClient client, int size)
    {
        var request = new EchoRequest { Body = ByteString.CopyFrom(new byte[size]) };
        return async () => await client.EchoAsync(request);
    }

    public static HttpClient Http(string address) => new(RpcChannel.CreateHandler())
    {
        BaseAddress = new Uri(address), DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };

    private static async Task AcceptAsync(Socket listener)
    {
        while (true)
        {
            var socket = await listener.AcceptAsync();
            socket.NoDelay = true;
            _ = EchoAsync(socket);
        }
    }

    private static async Task EchoAsync(Socket socket)
    {
        using (socket)
        {
            var size = new byte[4];
            await ReceiveAllAsync(socket, size);
            var message = new byte[BitConverter.ToInt32(size)];
            while (await ReceiveAllAsync(socket, message))
            {
                await SendAllAsync(socket, message);
            }
        }
    }

    private static async ValueTask SendAllAsync(Socket socket, ReadOnlyMemory<byte> bytes)
    {
        for (var sent = 0; sent < bytes.Length;)
        {
            sent += await socket.SendAsync(bytes[sent..]);
        }
    }

    private static async ValueTask<bool> ReceiveAllAsync(Socket socket, Memory<byte> buffer)
    {
        for (var received = 0; received < buffer.Length;)
        {
            var count = await socket.ReceiveAsync(buffer[received..]);
            if (count == 0)
            {
                return false;
            }

            received += count;
        }

        return true;
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
