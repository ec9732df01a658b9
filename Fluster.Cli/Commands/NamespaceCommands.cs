using System.CommandLine;
using V1 = Fluster.Cluster.V1;

namespace Fluster.Cli;

/// <summary><c>fluster namespace …</c></summary>
internal static class NamespaceCommands
{
    private static readonly Argument<string> s_name = new("name") { Description = "The namespace." };

    public static Command Build() => new("namespace", "Look after namespaces.") { Revoke() };

    private static Command Revoke()
    {
        var command = new Command("revoke", "Makes every token that was issued for a namespace so far stop counting: those of its users and of its jobs. Needs the role admin.") { s_name };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var client = FlusterCommand.Connect(parsed);
            var name = parsed.GetRequiredValue(s_name);
            var request = new V1.RevokeNamespaceRequest { Namespace = name };
            var response = await client.Calls.CallAsync((service, options) => service.RevokeNamespaceAsync(request, options), cancellationToken);
            Output.Line($"Tokens of namespace {name} that were issued before {response.IssuedBefore.ToDateTimeOffset():yyyy-MM-dd HH:mm:ss} UTC no longer count.");
            Output.Note("Tokens of the roles admin and worker are not of a namespace and still do. Jobs that run go on, but can no longer call the cluster.");
            return 0;
        });
        return command;
    }
}
