using System.Globalization;
using System.Text;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Running;

/// <summary>A container resource that can also run as a program of this machine, and is configured on its standard input.</summary>
internal sealed class RedisLaunchAnnotation(RedisResource resource) : IResourceAnnotation
{
    /// <summary>The program that stands in for the image.</summary>
    public const string Program = "redis-server";

    /// <summary>"-" reads the configuration from the standard input, where the password is seen by nobody.</summary>
    public static IReadOnlyList<string> Arguments { get; } = ["-"];

    /// <summary>The configuration of a server in a container: who may connect is decided by the published port.</summary>
    public Task<string> ContainerInputAsync(CancellationToken cancellationToken) => InputAsync("", cancellationToken);

    /// <summary>The configuration of a server on this machine: loopback only. ("-::1": fine when there is no IPv6.)</summary>
    public Task<string> ProgramInputAsync(CancellationToken cancellationToken)
    {
        var port = resource.PrimaryEndpoint.Port.ToString(CultureInfo.InvariantCulture);
        return InputAsync($"bind 127.0.0.1 -::1\nport {port}\ndir {Path.GetTempPath()}\n", cancellationToken);
    }

    private async Task<string> InputAsync(string where, CancellationToken cancellationToken)
    {
        // Nothing is written to disk: what is kept in this server can be made again.
        var configuration = new StringBuilder(where).Append("save \"\"\nappendonly no\ndaemonize no\nlogfile \"\"\n");
        if (resource.PasswordParameter is { } password)
        {
            var value = await password.GetValueAsync(cancellationToken);
            configuration.Append(CultureInfo.InvariantCulture, $"requirepass \"{value!.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"\n");
        }

        return configuration.ToString();
    }
}
