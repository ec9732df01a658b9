using System.Diagnostics;
using Fluster.Rpc;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Fluster.Tests;

/// <summary>A gRPC service answers a person with curl and JSON.</summary>
public class CurlTests
{
    private const string Service = "fluster.interop.v1.InteropService";

    [ToolFact("curl")]
    public async Task Curl_JsonOverHttp1_IsAnswered() => await AssertAnsweredAsync(HttpProtocols.Http1, "--http1.1");

    [ToolFact("curl")]
    public async Task Curl_JsonOverHttp2_IsAnswered() => await AssertAnsweredAsync(HttpProtocols.Http2, "--http2-prior-knowledge");

    [ToolFact("curl")]
    public async Task Curl_Error_IsJsonWithItsStatus()
    {
        await using var server = await StartAsync(HttpProtocols.Http1);
        var answer = await CurlAsync(server, "Unary", """{"responseStatus":{"code":5,"message":"no such thing"}}""", "-w", " %{http_code}");

        Assert.Equal("""{"code":"not_found","message":"no such thing"} 404""", answer);
    }

    [ToolFact("curl")]
    public async Task Curl_Gzip_IsInflatedByCurl()
    {
        await using var server = await StartAsync(HttpProtocols.Http1);
        var answer = await CurlAsync(server, "Unary", """{"responseSize":3000,"responseCompressed":true}""", "--compressed", "-w", " %{size_download}");

        Assert.StartsWith("{\"payload\":{\"body\":\"AAAA", answer.Replace(" ", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.InRange(int.Parse(answer.Split(' ')[^1]), 1, 1000); // of the 4,000 characters that three thousand bytes are in JSON
    }

    private static async Task AssertAnsweredAsync(HttpProtocols protocols, string version)
    {
        await using var server = await StartAsync(protocols);

        Assert.Equal("{\"payload\":{\"body\":\"AAA=\"}}", (await CurlAsync(server, "Unary", """{"responseSize":2}""", version)).Replace(" ", "", StringComparison.Ordinal));
        Assert.Equal("{}", (await CurlAsync(server, "Empty", "{}", version)).Replace(" ", "", StringComparison.Ordinal));
    }

    private static Task<GrpcTestServer> StartAsync(HttpProtocols protocols) => GrpcTestServer.StartAsync(
        builder => builder.Services.AddRpcLimits(RpcLimits.Default).AddGrpc(grpc => grpc.ResponseCompressionAlgorithm = "gzip"),
        app => app.MapConnectService<InteropTarget>(),
        protocols);

    private static async Task<string> CurlAsync(GrpcTestServer server, string method, string json, params string[] more)
    {
        string[] args = ["-sS", "--max-time", "30", "--noproxy", "*", "-H", "content-type: application/json", "-d", json, .. more, $"{server.Address}/{Service}/{method}"];
        using var curl = Process.Start(new ProcessStartInfo("curl", args) { RedirectStandardOutput = true })!;
        var answer = await curl.StandardOutput.ReadToEndAsync();
        await curl.WaitForExitAsync();
        Assert.Equal(0, curl.ExitCode);
        return answer;
    }
}
