using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Net.Client;

namespace Fluster.Tests;

/// <summary>How a call ended, and what it answered up to then.</summary>
internal sealed record RawAnswer(Status Status, IReadOnlyList<byte[]> Messages);

/// <summary>Calls any RPC with any bytes, as no generated client would.</summary>
internal static class RawRpc
{
    /// <summary>
    /// How the library tells that a stream or its connection was broken off by HTTP/2 itself, before anybody looked at the call: of a flooded
    /// server ("enhance your calm"), or because a frame met a stream that had just been refused. A server that is gone refuses connections.
    /// </summary>
    private static readonly string[] s_brokenOff = ["HTTP/2 error code", "Connection reset", "The request was aborted", "Broken pipe", "response ended prematurely"];

    private const int MostTries = 100;

    private static readonly TimeSpan s_calm = TimeSpan.FromMilliseconds(100);
    private static readonly Marshaller<byte[]> s_bytes = Marshallers.Create(bytes => bytes, bytes => bytes);

    public static string PathOf(MethodDescriptor method) => $"/{method.Service.FullName}/{method.Name}";

    /// <summary>
    /// Sends the messages, and reads until the call ends, the time is over or there are enough answers. Waits and sends them again when
    /// HTTP/2 broke the call off.
    /// </summary>
    public static async Task<RawAnswer> CallAsync(
        GrpcChannel channel, MethodDescriptor method, IReadOnlyCollection<byte[]> messages, Metadata headers, TimeSpan patience, int mostAnswers = 100)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                var answer = await CallOnceAsync(channel, method, messages, headers, patience, mostAnswers);
                if (tries == MostTries || !s_brokenOff.Any(words => answer.Status.Detail.Contains(words, StringComparison.Ordinal)))
                {
                    return answer;
                }
            }
            catch (Exception exception) when (exception is IOException or HttpRequestException { InnerException: IOException } && tries < MostTries)
            {
                // The same, thrown as it is.
            }

            await Task.Delay(s_calm, TimeProvider.System);
        }
    }

    private static async Task<RawAnswer> CallOnceAsync(
        GrpcChannel channel, MethodDescriptor method, IReadOnlyCollection<byte[]> messages, Metadata headers, TimeSpan patience, int mostAnswers)
    {
        // On the wire all four kinds of call are this one.
        var raw = new Method<byte[], byte[]>(MethodType.DuplexStreaming, method.Service.FullName, method.Name, s_bytes, s_bytes);
        var answers = new List<byte[]>();
        using var call = channel.CreateCallInvoker().AsyncDuplexStreamingCall(
            raw, host: null, new CallOptions(headers, TimeProvider.System.GetUtcNow().UtcDateTime + patience));
        try
        {
            foreach (var message in messages)
            {
                await call.RequestStream.WriteAsync(message);
            }

            await call.RequestStream.CompleteAsync();
        }
        catch (Exception exception) when (exception is RpcException or InvalidOperationException)
        {
            // Refused before it had read everything: the status, which comes next, says why.
        }

        try
        {
            while (answers.Count < mostAnswers && await call.ResponseStream.MoveNext(CancellationToken.None))
            {
                answers.Add(call.ResponseStream.Current);
            }

            return new RawAnswer(answers.Count < mostAnswers ? call.GetStatus() : Status.DefaultSuccess, answers);
        }
        catch (RpcException exception)
        {
            return new RawAnswer(exception.Status, answers);
        }
    }

    /// <summary>Every RPC of the files that define these services, and of the files that those import.</summary>
    public static IReadOnlyList<MethodDescriptor> Methods(params IEnumerable<ServiceDescriptor> services) =>
    [
        .. services.Select(service => service.File).SelectMany(WithImports).DistinctBy(file => file.Name)
            .SelectMany(file => file.Services).SelectMany(service => service.Methods)
            .OrderBy(PathOf, StringComparer.Ordinal),
    ];

    private static IEnumerable<FileDescriptor> WithImports(FileDescriptor file) => file.Dependencies.SelectMany(WithImports).Prepend(file);
}
