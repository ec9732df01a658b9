using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Fluster.Actors;

namespace Fluster.Tests;

/// <summary>Any language can call an actor: here curl, with JSON over the Connect protocol.</summary>
public sealed class ActorCurlTests
{
    [ToolFact("curl")]
    public async Task Call_WithJson_AnswersWithJson()
    {
        await using var server = await ServeAsync();

        var (status, answer) = await CurlAsync(server, server.Token, """{"actor": "calc", "method": "Add", "arguments": "[2, 3]"}""");

        Assert.Equal((200, "5"), (status, answer.GetProperty("value").GetString()));
    }

    [ToolFact("curl")]
    public async Task Call_WithHttp1OnTheSamePort_AnswersToo()
    {
        await using var server = await ServeAsync();

        var (status, answer) = await CurlAsync(server, server.Token, """{"actor": "calc", "method": "Add", "arguments": "[2, 3]"}""", protocol: "--http1.1");

        Assert.Equal((200, "5"), (status, answer.GetProperty("value").GetString()));
    }

    [ToolFact("curl")]
    public async Task Call_MethodThrows_ErrorIsData()
    {
        await using var server = await ServeAsync();

        var (status, answer) = await CurlAsync(server, server.Token, """{"method": "Divide", "arguments": "{\"a\": 1, \"b\": 0}"}""");

        var error = answer.GetProperty("error");
        Assert.Equal((200, "System.DivideByZeroException"), (status, error.GetProperty("type").GetString()));
        Assert.Equal("ACTOR_ERROR_KIND_EXCEPTION", error.GetProperty("kind").GetString());
    }

    [ToolFact("curl")]
    public async Task Call_WrongToken_Is401InTheWordsOfConnect()
    {
        await using var server = await ServeAsync();

        var (status, answer) = await CurlAsync(server, "wrong", """{"method": "Add", "arguments": "[2, 3]"}""");

        Assert.Equal((401, "unauthenticated"), (status, answer.GetProperty("code").GetString()));
    }

    [ToolFact("curl")]
    public async Task Call_AnotherMajorVersion_IsRefusedNamingBoth()
    {
        await using var server = await ServeAsync();

        var (status, answer) = await CurlAsync(server, server.Token, """{"method": "Add", "arguments": "[2, 3]"}""", "fluster-protocol: 2.1");

        Assert.Equal((400, "failed_precondition"), (status, answer.GetProperty("code").GetString()));
        Assert.Contains("'2.1' and this side 1.0", answer.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    private static async Task<ActorServer> ServeAsync()
    {
        var server = new ActorServer(new ActorServerOptions { Announcements = TextWriter.Null });
        server.Register("calc", new Calculator());
        await server.StartAsync();
        return server;
    }

    private static async Task<(int Status, JsonElement Answer)> CurlAsync(ActorServer server, string token, string json, string header = "accept: */*", string protocol = "--http2-prior-knowledge")
    {
        var start = new ProcessStartInfo("curl", [
            "--silent", protocol, "--max-time", "30", "--write-out", "\n%{http_code}",
            "--header", "content-type: application/json", "--header", $"authorization: Bearer {token}", "--header", header, "--data", json,
            $"{server.Address}fluster.actors.v1.ActorService/Call"])
        {
            RedirectStandardOutput = true,
            StandardOutputEncoding = Encoding.UTF8,
        };
        using var curl = Process.Start(start)!;
        var output = await curl.StandardOutput.ReadToEndAsync();
        await curl.WaitForExitAsync();
        var end = output.LastIndexOf('\n');
        return (int.Parse(output[(end + 1)..]), JsonDocument.Parse(output[..end]).RootElement);
    }

    private sealed class Calculator
    {
        public int Add(int a, int b) => a + b;

        public double Divide(int a, int b) => b == 0 ? throw new DivideByZeroException() : (double)a / b;
    }
}
