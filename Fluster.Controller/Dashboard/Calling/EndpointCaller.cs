using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fluster.Rpc;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Reflection.V1;

namespace Fluster.Controller;

/// <summary>What a call came to.</summary>
/// <param name="Ok">It was answered, and not with an error.</param>
/// <param name="Text">The answer, as JSON where it is.</param>
/// <param name="Took">How long it took.</param>
internal sealed record CallAnswer(bool Ok, string Text, TimeSpan Took);

/// <summary>
/// Calls what is behind an endpoint for somebody who looks at its page, whatever it is: a server says by reflection which methods it has, and takes a call as JSON.
/// The controller knows no protocol of any library here.
/// </summary>
/// <remarks>
/// An address was given by a job: it is shown no token of whoever looks, but one that is good for a minute and for the namespace of that job, in which the job may do the same.
/// </remarks>
internal sealed class EndpointCaller(TokenIssuer tokens, TimeProvider time)
{
    /// <summary>Metadata that says by which certificate a server is known.</summary>
    private const string CertificateKey = "certificate";

    private const int MostAnswer = 1 << 20;
    private const int MostFiles = 200;

    private static readonly TimeSpan s_reflectionPatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_callPatience = TimeSpan.FromSeconds(30);
    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The methods of a server; none, and why.</summary>
    public async Task<(IReadOnlyList<CallableMethod> Methods, string? Problem)> MethodsAsync(V1.Endpoint endpoint, CancellationToken cancellationToken)
    {
        if (Problem(endpoint, out var address) is { } problem)
        {
            return ([], problem);
        }

        try
        {
            using var channel = RpcChannel.ForAddress(address, new RpcLimits { MaxMessageSize = MostAnswer, ConnectTimeout = s_reflectionPatience }, options => CertificatePin.Apply(options, CertificateOf(endpoint)));
            using var call = new ServerReflection.ServerReflectionClient(channel).ServerReflectionInfo(Headers(endpoint), (time.GetUtcNow() + s_reflectionPatience).UtcDateTime, cancellationToken);
            var services = (await AskAsync(call, new ServerReflectionRequest { ListServices = "*" }, cancellationToken))
                .ListServicesResponse.Service.Select(service => service.Name).Where(name => !name.StartsWith("grpc.reflection.", StringComparison.Ordinal)).ToList();
            var files = new List<ByteString>();
            foreach (var service in services)
            {
                var answer = await AskAsync(call, new ServerReflectionRequest { FileContainingSymbol = service }, cancellationToken);
                files.AddRange(answer.FileDescriptorResponse?.FileDescriptorProto ?? Enumerable.Empty<ByteString>());
                if (files.Count > MostFiles)
                {
                    break;
                }
            }

            await call.RequestStream.CompleteAsync();
            return (CallableMethod.Of(files, services), null);
        }
        catch (RpcException refused)
        {
            return ([], refused.StatusCode == StatusCode.Unimplemented ? "The server does not say which methods it has." : $"The server at {endpoint.Address} did not say which methods it has: {refused.Status.Detail}");
        }
        catch (Exception exception) when (exception is FormatException or IOException or HttpRequestException)
        {
            return ([], exception.Message);
        }
    }

    /// <summary>Calls a method with what was put into its fields; empty ones are left out.</summary>
    public async Task<CallAnswer> CallAsync(V1.Endpoint endpoint, CallableMethod method, IReadOnlyDictionary<string, string> values, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        if (Problem(endpoint, out var address) is { } problem)
        {
            return new CallAnswer(false, problem, TimeSpan.Zero);
        }

        if (BodyOf(method, values, out var wrong) is not { } body)
        {
            return new CallAnswer(false, wrong, TimeSpan.Zero);
        }

        using var handler = RpcChannel.CreateHandler();
        if (CertificateOf(endpoint) is { } hash)
        {
            handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) => CertificatePin.Matches(certificate, hash);
        }

        using var http = new HttpClient(handler) { Timeout = s_callPatience, MaxResponseContentBufferSize = MostAnswer };
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(address, method.Path))
        {
            Version = HttpVersion.Version11,
            Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json"),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", tokens.ForCall(endpoint.Namespace));
        request.Headers.TryAddWithoutValidation(ProtocolVersion.Metadata, ProtocolVersion.Current);
        try
        {
            using var response = await http.SendAsync(request, cancellationToken);
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            var (pretty, isError) = Pretty(text);
            return new CallAnswer(response.IsSuccessStatusCode && !isError, pretty, time.GetElapsedTime(started));
        }
        catch (HttpRequestException exception)
        {
            return new CallAnswer(false, $"The server at {endpoint.Address} cannot be called: {exception.Message}", time.GetElapsedTime(started));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new CallAnswer(false, $"There was no answer within {s_callPatience.TotalSeconds:0} s.", time.GetElapsedTime(started));
        }
    }

    /// <summary>The request of a method as JSON; null, and what cannot be read.</summary>
    internal static JsonObject? BodyOf(CallableMethod method, IReadOnlyDictionary<string, string> values, out string problem)
    {
        var body = new JsonObject();
        foreach (var field in method.Fields)
        {
            var text = values.GetValueOrDefault(field.Name, "");
            if (text.Length == 0)
            {
                continue;
            }

            try
            {
                body[field.Name] = field.Kind is FieldKind.Text ? JsonValue.Create(text) : JsonNode.Parse(text);
            }
            catch (JsonException exception)
            {
                problem = $"The field '{field.Name}' takes {field.Type}, as JSON: {exception.Message}";
                return null;
            }
        }

        problem = "";
        return body;
    }

    /// <summary>Why an endpoint is not called; null: it is.</summary>
    private static string? Problem(V1.Endpoint endpoint, out Uri address)
    {
        if (!Uri.TryCreate(endpoint.Address, UriKind.Absolute, out address!) || address.Scheme is not ("http" or "https"))
        {
            return "Only addresses that begin with http:// or https:// can be called from here.";
        }

        address = new Uri(address.GetLeftPart(UriPartial.Authority));

        // Where machines of clouds keep what only they may know.
        return IPAddress.TryParse(address.Host.Trim('[', ']'), out var ip) && (ip.IsIPv6LinkLocal || ip.MapToIPv4().GetAddressBytes() is [169, 254, ..] && (ip.AddressFamily == AddressFamily.InterNetwork || ip.IsIPv4MappedToIPv6))
            ? "The controller does not call addresses that mean another machine wherever they are used."
            : null;
    }

    private static async Task<ServerReflectionResponse> AskAsync(AsyncDuplexStreamingCall<ServerReflectionRequest, ServerReflectionResponse> call, ServerReflectionRequest request, CancellationToken cancellationToken)
    {
        await call.RequestStream.WriteAsync(request, cancellationToken);
        return await call.ResponseStream.MoveNext(cancellationToken) ? call.ResponseStream.Current : throw new IOException("The server ended the conversation.");
    }

    /// <summary>An answer for people, and whether it is one that says "error" where a result would be.</summary>
    private static (string Text, bool IsError) Pretty(string text)
    {
        try
        {
            var node = JsonNode.Parse(text);
            return (node?.ToJsonString(s_indented) ?? "null", node is JsonObject answer && answer.ContainsKey("error"));
        }
        catch (JsonException)
        {
            return (text, false);
        }
    }

    private static string? CertificateOf(V1.Endpoint endpoint) => endpoint.Metadata.TryGetValue(CertificateKey, out var hash) ? hash : null;

    private Metadata Headers(V1.Endpoint endpoint) => new() { { "authorization", "Bearer " + tokens.ForCall(endpoint.Namespace) }, { ProtocolVersion.Metadata, ProtocolVersion.Current } };
}
