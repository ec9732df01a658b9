using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Fluster.Benchmarks;

/// <summary>
/// What frames on a socket cost, before anything is built on them: messages that are sent whole, received whole and sent back. Bare bytes, frames
/// received from the socket into the message's own array, and frames through Kestrel's pipes.
/// </summary>
internal sealed class SocketLoop : Benchmark
{
    private const int HeaderSize = 16;
    private const int MostInFrame = 256 * 1024;

    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_round = TimeSpan.FromSeconds(2);

    public override string Name => "socket-loop";

    public override async IAsyncEnumerable<BenchmarkResult> RunAsync(Func<string, bool> wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var server = await BenchmarkProcess.StartAsync(this, "server", cancellationToken);
        var ports = server.FirstLine.Split(' ').Select(port => int.Parse(port, System.Globalization.CultureInfo.InvariantCulture)).ToArray();
        foreach (var (size, name) in new[] { (16, "16B"), (1 << 20, "1MiB"), (16 << 20, "16MiB") })
        {
            if (!wanted(name))
            {
                continue;
            }

            var rates = new List<double>[] { [], [], [] };
            for (var round = 0; round < 3; round++)
            {
                for (var kind = 0; kind < 3; kind++)
                {
                    rates[kind].Add(await RateAsync(ports[kind], framed: kind > 0, size, cancellationToken));
                }
            }

            var bare = Load.Median(rates[0]);
            yield return BenchmarkResult.Reported(Name, $"{name}/bare", bare, "echoes/s");
            yield return BenchmarkResult.Reported(Name, $"{name}/socket", Load.Median(rates[1]), "echoes/s", bare);
            yield return BenchmarkResult.Reported(Name, $"{name}/kestrel", Load.Median(rates[2]), "echoes/s", bare);
        }
    }

    public override async Task ServeAsync(string role, CancellationToken cancellationToken)
    {
        var bare = BareSocket.Listen(EchoBareAsync);
        var framed = BareSocket.Listen(EchoFramesAsync);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Run(EchoPipeAsync)));
        builder.Services.AddRoutingCore();
        await using var app = builder.Build();
        await app.StartAsync(cancellationToken);
        var kestrelPort = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port;
        Console.WriteLine($"{bare} {framed} {kestrelPort}");
        await BenchmarkProcess.ParentGoneAsync(cancellationToken);
    }

    private static async Task<double> RateAsync(int port, bool framed, int size, CancellationToken cancellationToken)
    {
        using var socket = await BareSocket.ConnectAsync(port, cancellationToken);
        var message = new byte[size];
        var header = new byte[HeaderSize];
        BinaryPrimitives.WriteInt32LittleEndian(header, size);
        await Load.CallsPerSecondAsync(EchoAsync, 1, s_warmUp, cancellationToken);
        return await Load.CallsPerSecondAsync(EchoAsync, 1, s_round, cancellationToken);

        async Task EchoAsync()
        {
            if (framed)
            {
                await SendFramesAsync(socket, message);
                await ReceiveFramesAsync(socket, header);
            }
            else
            {
                await socket.SendAsync(header);
                await BareSocket.SendAllAsync(socket, message);
                await BareSocket.ReceiveAllAsync(socket, header);
                await BareSocket.ReceiveAllAsync(socket, new byte[size]);
            }
        }
    }

    private static async Task EchoBareAsync(Socket socket)
    {
        var header = new byte[HeaderSize];
        while (await BareSocket.ReceiveAllAsync(socket, header))
        {
            var message = GC.AllocateUninitializedArray<byte>(BinaryPrimitives.ReadInt32LittleEndian(header));
            await BareSocket.ReceiveAllAsync(socket, message);
            await socket.SendAsync(header);
            await BareSocket.SendAllAsync(socket, message);
        }
    }

    private static async Task EchoFramesAsync(Socket socket)
    {
        var header = new byte[HeaderSize];
        while (await ReceiveFramesAsync(socket, header) is { } message)
        {
            await SendFramesAsync(socket, message);
        }
    }

    // Small messages in one write; of large ones only the headers are copied.
    private static async Task SendFramesAsync(Socket socket, byte[] message)
    {
        for (var sent = 0; sent < message.Length;)
        {
            var part = Math.Min(MostInFrame, message.Length - sent);
            var small = part <= 4096;
            var front = ArrayPool<byte>.Shared.Rent(HeaderSize + (small ? part : 0));
            BinaryPrimitives.WriteInt32LittleEndian(front, message.Length);
            BinaryPrimitives.WriteInt32LittleEndian(front.AsSpan(4), part);
            if (small)
            {
                message.AsSpan(sent, part).CopyTo(front.AsSpan(HeaderSize));
            }

            await BareSocket.SendAllAsync(socket, front.AsMemory(0, HeaderSize + (small ? part : 0)));
            if (!small)
            {
                await BareSocket.SendAllAsync(socket, message.AsMemory(sent, part));
            }

            ArrayPool<byte>.Shared.Return(front);
            sent += part;
        }
    }

    private static async Task<byte[]?> ReceiveFramesAsync(Socket socket, byte[] header)
    {
        byte[]? message = null;
        for (var received = 0; message is null || received < message.Length;)
        {
            if (!await BareSocket.ReceiveAllAsync(socket, header))
            {
                return null;
            }

            message ??= GC.AllocateUninitializedArray<byte>(BinaryPrimitives.ReadInt32LittleEndian(header));
            var part = BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(4));
            await BareSocket.ReceiveAllAsync(socket, message.AsMemory(received, part));
            received += part;
        }

        return message;
    }

    private static async Task EchoPipeAsync(ConnectionContext connection)
    {
        var input = connection.Transport.Input;
        var output = connection.Transport.Output;
        byte[]? message = null;
        var received = 0;
        while (true)
        {
            var read = await input.ReadAtLeastAsync(HeaderSize);
            if (read.Buffer.Length < HeaderSize)
            {
                return;
            }

            var (total, part) = ReadHeader(read.Buffer);
            input.AdvanceTo(read.Buffer.GetPosition(HeaderSize));
            message ??= GC.AllocateUninitializedArray<byte>(total);
            for (var end = received + part; received < end;)
            {
                read = await input.ReadAsync();
                var available = read.Buffer.Slice(0, Math.Min(read.Buffer.Length, end - received));
                available.CopyTo(message.AsSpan(received));
                received += (int)available.Length;
                input.AdvanceTo(available.End);
            }

            if (received == message.Length)
            {
                await SendPipeAsync(output, message);
                (message, received) = (null, 0);
            }
        }
    }

    private static (int Total, int Part) ReadHeader(ReadOnlySequence<byte> buffer)
    {
        Span<byte> header = stackalloc byte[HeaderSize];
        buffer.Slice(0, HeaderSize).CopyTo(header);
        return (BinaryPrimitives.ReadInt32LittleEndian(header), BinaryPrimitives.ReadInt32LittleEndian(header[4..]));
    }

    private static async Task SendPipeAsync(PipeWriter output, byte[] message)
    {
        for (var sent = 0; sent < message.Length;)
        {
            var part = Math.Min(MostInFrame, message.Length - sent);
            var header = output.GetMemory(HeaderSize);
            BinaryPrimitives.WriteInt32LittleEndian(header.Span, message.Length);
            BinaryPrimitives.WriteInt32LittleEndian(header.Span[4..], part);
            output.Advance(HeaderSize);
            await output.WriteAsync(message.AsMemory(sent, part));
            sent += part;
        }
    }
}
