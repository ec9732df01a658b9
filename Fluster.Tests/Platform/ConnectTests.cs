using System.Buffers.Binary;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Fluster.Rpc;
using Fluster.Tests.Platform;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Fluster.Tests;

/// <summary>The Connect protocol, by hand over HTTP/1.1: what a browser or curl sends. Other clients are in Interop.</summary>
public sealed class ConnectTests : IAsyncLifetime, IDisposable
{
    private const string Service = "/fluster.platform.v1.NoteService";

    private GrpcTestServer _server = null!;
    private HttpClient _http = null!;

    public async Task InitializeAsync()
    {
        _server = await GrpcTestServer.StartAsync(
            builder => builder.Services
                .AddRpcLimits(new RpcLimits { MaxMessageSize = 100_000 })
                .AddGrpc(grpc =>
                {
                    grpc.Interceptors.Add<RefusingInterceptor>();
                    grpc.ResponseCompressionAlgorithm = "gzip";
                }),
            app => app.MapConnectService<NoteTarget>(),
            HttpProtocols.Http1);
        _http = new HttpClient { BaseAddress = new Uri(_server.Address) };
    }

    public async Task DisposeAsync() => await _server.DisposeAsync();

    public void Dispose() => _http.Dispose();

    [Fact]
    public async Task UnaryJson_EveryKindOfField_ComesBack()
    {
        const string Note =
            """{"number":"9007199254740993","data":"3q0=","color":"COLOR_RED","counts":{"a":1},"writtenAt":"2026-01-02T03:04:05Z","free":[1,{"x":null}],"any":{"@type":"type.googleapis.com/fluster.platform.v1.Note","number":"5"},"words":["a","b"],"next":{"number":"1"}}""";
        var response = await PostAsync("Echo", $$$"""{"note":{{{Note}}},"unknown":{"deep":[1]}}""");

        Assert.Equal("application/json", response.Content.Headers.ContentType!.ToString());
        Assert.Equal(
            Normalized($$"""{"note":{{Note}}}"""),
            Normalized(await response.Content.ReadAsStringAsync()));
    }

    [Fact]
    public async Task UnaryProto_Message_ComesBack()
    {
        var request = new EchoRequest { Note = new Note { Number = 42 } };
        var response = await PostAsync("Echo", Bytes(request.ToByteArray(), "application/proto"));

        Assert.Equal("application/proto", response.Content.Headers.ContentType!.ToString());
        Assert.Equal(request.Note, EchoResponse.Parser.ParseFrom(await response.Content.ReadAsByteArrayAsync()).Note);
    }

    [Fact]
    public async Task UnaryHeaders_OfTheService_AreHeadersAndPrefixedTrailers()
    {
        var response = await PostAsync("Echo", "{}", ("x-echo", "hello"));

        Assert.Equal("hello", Assert.Single(response.Headers.GetValues("x-echo")));
        Assert.Equal("hello", Assert.Single(response.Headers.GetValues("trailer-x-echo-end")));
        Assert.DoesNotContain(response.Headers, header => header.Key.StartsWith("grpc-", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task UnaryError_WithDetails_IsJsonWithTheMappedStatus()
    {
        var response = await PostAsync("Refuse", "{}");

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        var error = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
        Assert.Equal("failed_precondition", error.GetProperty("code").GetString());
        Assert.Equal("not ☺ now", error.GetProperty("message").GetString());
        var detail = Assert.Single(error.GetProperty("details").EnumerateArray());
        Assert.Equal("fluster.platform.v1.Note", detail.GetProperty("type").GetString());
        Assert.Equal("CAc", detail.GetProperty("value").GetString());
        Assert.Equal("because", Assert.Single(response.Headers.GetValues("trailer-x-why")));
    }

    [Fact]
    public async Task UnaryTimeout_SlowMethod_IsDeadlineExceeded() =>
        await AssertErrorAsync(await PostAsync("Wait", "{}", ("connect-timeout-ms", "50")), HttpStatusCode.GatewayTimeout, "deadline_exceeded");

    [Theory]
    [InlineData("connect-timeout-ms", "12345678901")]
    [InlineData("connect-timeout-ms", "soon")]
    [InlineData("connect-protocol-version", "2")]
    public async Task UnaryHeader_NotUnderstood_IsInvalidArgument(string name, string value) =>
        await AssertErrorAsync(await PostAsync("Echo", "{}", (name, value)), HttpStatusCode.BadRequest, "invalid_argument");

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("""{"note":{"number":"x"}}""")]
    [InlineData("""{"note":{"color":"COLOR_GREEN"}}""")]
    [InlineData("""{"note":{"any":{"@type":"type.googleapis.com/no.Such"}}}""")]
    public async Task UnaryJson_NotOfTheMethod_IsInvalidArgument(string json) =>
        await AssertErrorAsync(await PostAsync("Echo", json), HttpStatusCode.BadRequest, "invalid_argument");

    [Fact]
    public async Task UnaryJson_InvalidUtf8_IsInvalidArgument() =>
        await AssertErrorAsync(
            await PostAsync("Echo", Bytes([(byte)'{', (byte)'"', 0xff, (byte)'"', (byte)':', (byte)'1', (byte)'}'], "application/json")),
            HttpStatusCode.BadRequest,
            "invalid_argument");

    [Theory]
    [InlineData("[", "]")] // Arrays cost the parser stack, and it does not count them.
    [InlineData("{\"a\":", "}")]
    public async Task UnaryJson_TooDeep_IsInvalidArgument(string open, string close)
    {
        var deep = string.Concat(Enumerable.Repeat(open, 10_000)) + "1" + string.Concat(Enumerable.Repeat(close, 10_000));
        await AssertErrorAsync(await PostAsync("Echo", $$$"""{"note":{"free":{{{deep}}}}}"""), HttpStatusCode.BadRequest, "invalid_argument");
        await AssertErrorAsync(await PostAsync("Echo", $$"""{"unknown":{{deep}}}"""), HttpStatusCode.BadRequest, "invalid_argument");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task UnaryBody_OverTheLimit_IsResourceExhausted(bool lengthKnown)
    {
        var json = $$$"""{"note":{"words":["{{{new string('x', 100_000)}}}"]}}""";
        using var content = lengthKnown
            ? (HttpContent)new StringContent(json, Encoding.UTF8, "application/json")
            : new StreamContent(new MemoryStream(Encoding.UTF8.GetBytes(json))) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        await AssertErrorAsync(await PostAsync("Echo", content), HttpStatusCode.TooManyRequests, "resource_exhausted");
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData("application/proto")]
    public async Task UnaryGzip_InflatingOverTheLimit_IsResourceExhausted(string contentType)
    {
        var bomb = Gzipped(new byte[50_000_000]);
        Assert.InRange(bomb.Length, 1, 100_000);
        await AssertErrorAsync(await PostAsync("Echo", Bytes(bomb, contentType, "gzip")), HttpStatusCode.TooManyRequests, "resource_exhausted");
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData("application/proto")]
    public async Task UnaryGzip_RequestAndResponse_ComesBack(string contentType)
    {
        var request = new EchoRequest { Note = new Note { Words = { new string('x', 5000) } } };
        var body = contentType.EndsWith("json", StringComparison.Ordinal) ? Encoding.UTF8.GetBytes(JsonFormatter.Default.Format(request)) : request.ToByteArray();
        var response = await PostAsync("Echo", Bytes(Gzipped(body), contentType, "gzip"), ("accept-encoding", "gzip"));

        Assert.Equal("gzip", Assert.Single(response.Content.Headers.ContentEncoding));
        await using var inflated = new GZipStream(await response.Content.ReadAsStreamAsync(), CompressionMode.Decompress);
        using var plain = new MemoryStream();
        await inflated.CopyToAsync(plain);
        Assert.Equal(body, plain.ToArray());
    }

    [Fact]
    public async Task UnaryEncoding_Unknown_IsUnimplemented() =>
        await AssertErrorAsync(await PostAsync("Echo", Bytes([1], "application/proto", "br")), HttpStatusCode.NotImplemented, "unimplemented");

    [Theory]
    [InlineData("Echo", "application/connect+json")]
    [InlineData("Repeat", "application/json")]
    [InlineData("Echo", "text/plain")]
    public async Task ContentType_NotOfTheMethod_IsUnsupported(string method, string contentType)
    {
        var response = await PostAsync(method, Bytes("{}"u8.ToArray(), contentType));

        Assert.Equal(HttpStatusCode.UnsupportedMediaType, response.StatusCode);
    }

    [Theory]
    [InlineData("json")]
    [InlineData("proto")]
    public async Task StreamedResponses_ThenError_AreEnvelopesWithAnEnd(string codec)
    {
        var request = new RepeatRequest { Note = new Note { Number = 3 }, Times = 4, Fail = true };
        var body = codec == "json" ? Encoding.UTF8.GetBytes(JsonFormatter.Default.Format(request)) : request.ToByteArray();
        var response = await PostAsync("Repeat", Bytes(Enveloped(0, body), $"application/connect+{codec}"));

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal($"application/connect+{codec}", response.Content.Headers.ContentType!.ToString());
        var envelopes = Envelopes(await response.Content.ReadAsByteArrayAsync());
        Assert.Equal([0, 0, 0, 0, 2], envelopes.Select(envelope => envelope.Flags));
        Assert.All(envelopes[..4], envelope => Assert.Equal(
            request.Note,
            (codec == "json" ? RepeatResponse.Parser.ParseJson(Encoding.UTF8.GetString(envelope.Payload)) : RepeatResponse.Parser.ParseFrom(envelope.Payload)).Note));
        Assert.Equal(
            Normalized("""{"error":{"code":"data_loss","message":"enough"},"metadata":{"x-times":["4"]}}"""),
            Normalized(Encoding.UTF8.GetString(envelopes[4].Payload)));
    }

    [Fact]
    public async Task StreamedResponses_ThousandsOfThem_AllArrive()
    {
        var response = await PostAsync("Repeat", Bytes(Enveloped(0, """{"note":{"number":"1"},"times":5000}"""u8), "application/connect+json"));

        var envelopes = Envelopes(await response.Content.ReadAsByteArrayAsync());
        Assert.Equal(5001, envelopes.Count);
        Assert.Equal("{\"metadata\":{\"x-times\":[\"5000\"]}}", Encoding.UTF8.GetString(envelopes[^1].Payload));
    }

    [Theory]
    [InlineData("""{"times":"many"}""", "invalid_argument")]
    [InlineData("", "invalid_argument")]
    public async Task StreamRequest_NotOfTheMethod_EndsWithTheError(string json, string code)
    {
        var response = await PostAsync("Repeat", Bytes(Enveloped(0, Encoding.UTF8.GetBytes(json)), "application/connect+json"));

        Assert.Equal(code, EndError(await response.Content.ReadAsByteArrayAsync()));
    }

    [Fact]
    public async Task StreamRequest_LengthOverTheLimit_IsRefusedBeforeItIsRead()
    {
        // The length promises what never comes: a server that buffers first would wait.
        byte[] header = [0, 0x7f, 0xff, 0xff, 0xff];
        var response = await PostAsync("Repeat", Bytes(header, "application/connect+proto"));

        Assert.Equal("resource_exhausted", EndError(await response.Content.ReadAsByteArrayAsync()));
    }

    [Theory]
    [InlineData("Echo", "application/json", "{}")]
    [InlineData("Repeat", "application/connect+json", "\0\0\0\0\u0002{}")]
    public async Task Interceptor_OfTheGrpcServer_RefusesConnectToo(string method, string contentType, string body)
    {
        var response = await PostAsync(method, Bytes(Encoding.UTF8.GetBytes(body), contentType), ("x-refuse", "yes"));

        var content = await response.Content.ReadAsByteArrayAsync();
        if (method == "Echo")
        {
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
            Assert.Contains("unauthenticated", Encoding.UTF8.GetString(content), StringComparison.Ordinal);
        }
        else
        {
            Assert.Equal("unauthenticated", EndError(content));
        }
    }

    [Theory]
    [InlineData("application/json", "Odd")]
    [InlineData("application/connect+json", "OddStream")]
    public async Task Response_WithoutJson_IsInternal(string contentType, string method)
    {
        byte[] body = [.. contentType == "application/json" ? "{}"u8 : Enveloped(0, "{}"u8)];
        var response = await PostAsync(method, Bytes(body, contentType));

        var content = await response.Content.ReadAsByteArrayAsync();
        Assert.Equal("internal", method == "Odd" ? JsonDocument.Parse(content).RootElement.GetProperty("code").GetString() : EndError(content));
    }

    [Fact]
    public async Task GrpcHeaders_OfTheClient_DoNotReachThrough()
    {
        // A smuggled "grpc-timeout" would end the call at once.
        var response = await PostAsync("Echo", "{}", ("grpc-timeout", "1n"), ("grpc-encoding", "br"));

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    private static async Task AssertErrorAsync(HttpResponseMessage response, HttpStatusCode status, string code)
    {
        var body = await response.Content.ReadAsStringAsync();
        Assert.Equal((status, code), (response.StatusCode, JsonDocument.Parse(body).RootElement.GetProperty("code").GetString()));
    }

    private static string EndError(byte[] body) =>
        JsonDocument.Parse(Envelopes(body)[^1].Payload).RootElement.GetProperty("error").GetProperty("code").GetString()!;

    private static string Normalized(string json) => JsonSerializer.Serialize(JsonDocument.Parse(json).RootElement);

    private static byte[] Enveloped(byte flags, ReadOnlySpan<byte> payload)
    {
        byte[] envelope = [flags, 0, 0, 0, 0, .. payload];
        BinaryPrimitives.WriteInt32BigEndian(envelope.AsSpan(1), payload.Length);
        return envelope;
    }

    private static List<(byte Flags, byte[] Payload)> Envelopes(byte[] body)
    {
        var envelopes = new List<(byte, byte[])>();
        for (var at = 0; at < body.Length;)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(body.AsSpan(at + 1));
            envelopes.Add((body[at], body[(at + 5)..(at + 5 + length)]));
            at += 5 + length;
        }

        return envelopes;
    }

    private static byte[] Gzipped(byte[] plain)
    {
        using var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Optimal))
        {
            gzip.Write(plain);
        }

        return compressed.ToArray();
    }

    private static ByteArrayContent Bytes(byte[] body, string contentType, string? encoding = null)
    {
        var content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue(contentType) } };
        if (encoding is not null)
        {
            content.Headers.ContentEncoding.Add(encoding);
        }

        return content;
    }

    private Task<HttpResponseMessage> PostAsync(string method, string json, params (string Name, string Value)[] headers) =>
        PostAsync(method, new StringContent(json, Encoding.UTF8, "application/json"), headers);

    private Task<HttpResponseMessage> PostAsync(string method, HttpContent content, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, $"{Service}/{method}") { Content = content };
        foreach (var (name, value) in headers)
        {
            request.Headers.Add(name, value);
        }

        return _http.SendAsync(request);
    }

    /// <summary>An authorization that knows nothing of Connect.</summary>
    private sealed class RefusingInterceptor : Interceptor
    {
        public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
        {
            ThrowIfRefused(context);
            return continuation(request, context);
        }

        public override Task ServerStreamingServerHandler<TRequest, TResponse>(TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
        {
            ThrowIfRefused(context);
            return continuation(request, responseStream, context);
        }

        private static void ThrowIfRefused(ServerCallContext context)
        {
            if (context.RequestHeaders.Get("x-refuse") is not null)
            {
                throw new RpcException(new Status(StatusCode.Unauthenticated, "no"));
            }
        }
    }
}
