using System.CommandLine;
using Fluster.Cluster;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Cli;

/// <summary><c>fluster login ADDRESS --token TOKEN</c></summary>
internal static class LoginCommand
{
    private static readonly Argument<string> s_address = new("address")
    {
        Description = "The controller's gRPC address: http://host:port or https://host:port.",
    };

    private static readonly Option<string> s_token = new("--token")
    {
        Description = "The token. '-' reads it from standard input, where no list of processes shows it.",
        HelpName = "token",
        Required = true,
    };

    private static readonly Option<string?> s_name = new("--name")
    {
        Description = "The name of the context. Default: the host of the address.",
        HelpName = "name",
    };

    public static Command Build()
    {
        var command = new Command("login", "Keeps the address and the token of a cluster, and makes it the current one.") { s_address, s_token, s_name };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var given = parsed.GetRequiredValue(s_token);
            var token = (given == "-" ? await Console.In.ReadToEndAsync(cancellationToken) : given).Trim();
            if (token.Length == 0)
            {
                throw new CommandFailedException("There is no token on standard input.");
            }

            var options = new FlusterClientOptions { Address = parsed.GetRequiredValue(s_address), Token = token };
            var claims = TokenClaims.ReadUnchecked(token);
            var @namespace = FlusterCommand.NamespaceOf(parsed)?.ToString() ?? claims?.Namespace;

            // What does not work is not kept.
            await using var client = await FlusterClient.ConnectAsync(options, cancellationToken);
            var status = await client.Calls.CallAsync((service, call) => service.GetClusterStatusAsync(new V1.GetClusterStatusRequest(), call), cancellationToken);
            var name = parsed.GetValue(s_name) ?? new Uri(options.Address).Host;
            var path = ClusterContextFile.Location;
            ContextWriter.Put(path, name, new ClusterContextEntry
            {
                Address = options.Address,
                Http = status.HttpAddress.Length > 0 ? status.HttpAddress : null,
                Token = token,
                Certificate = claims?.CertificateHash,
                Namespace = @namespace,
            });
            Output.Line($"Logged in to cluster {status.ClusterId} as {claims?.Role ?? "somebody"}; it is the current context '{name}' of {path}.");
            if (claims is not null)
            {
                Output.Note($"The token lasts until {DateTimeOffset.FromUnixTimeSeconds(claims.ExpiresAt):yyyy-MM-dd HH:mm} UTC.");
            }

            return 0;
        });
        return command;
    }
}
