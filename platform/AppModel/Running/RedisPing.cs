using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.Running;

/// <summary>A Redis server is healthy when it accepts its password and answers a PING.</summary>
internal sealed class RedisPing(RedisResource resource) : IHealthCheck
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (!resource.PrimaryEndpoint.IsAllocated)
        {
            return HealthCheckResult.Unhealthy("The server has no address yet.");
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_limit);
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(resource.PrimaryEndpoint.Host, resource.PrimaryEndpoint.Port, limit.Token);
            using var reader = new StreamReader(client.GetStream(), Encoding.UTF8);
            var answer = "+OK";
            if (resource.PasswordParameter is { } password)
            {
                answer = await AskAsync(client, reader, ["AUTH", (await password.GetValueAsync(limit.Token))!], limit.Token);
            }

            answer = answer == "+OK" ? await AskAsync(client, reader, ["PING"], limit.Token) : answer;
            return answer == "+PONG" ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy($"The server answered '{answer}'.");
        }
        catch (Exception exception) when (exception is IOException or SocketException)
        {
            return HealthCheckResult.Unhealthy(exception.Message, exception);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return HealthCheckResult.Unhealthy("The server did not answer in time.");
        }
    }

    private static async Task<string?> AskAsync(TcpClient client, StreamReader reader, string[] words, CancellationToken cancellationToken)
    {
        var command = new StringBuilder().Append(CultureInfo.InvariantCulture, $"*{words.Length}\r\n");
        foreach (var word in words)
        {
            command.Append(CultureInfo.InvariantCulture, $"${Encoding.UTF8.GetByteCount(word)}\r\n{word}\r\n");
        }

        await client.GetStream().WriteAsync(Encoding.UTF8.GetBytes(command.ToString()), cancellationToken);
        return await reader.ReadLineAsync(cancellationToken);
    }
}
