using System.CommandLine;
using Fluster.Actors;
using Fluster.Cluster;

namespace Fluster.Cli;

/// <summary><c>fluster actor list|call</c></summary>
internal static class ActorCommands
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    public static Command Build() => new("actor", "Lists the actors of the namespace and calls them.") { List(), Call() };

    private static Command List()
    {
        var name = new Argument<string>("name") { Description = "Shows the methods of this one. Default: all actors.", Arity = ArgumentArity.ZeroOrOne, DefaultValueFactory = _ => "" };
        var command = new Command("list", "Lists the actors of the namespace, or the methods of one.") { name };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var client = FlusterCommand.Connect(parsed);
            var wanted = parsed.GetValue(name) ?? "";
            return wanted.Length == 0
                ? await ListAsync(client, FlusterCommand.IsJson(parsed), cancellationToken)
                : await MethodsAsync(client, wanted, FlusterCommand.IsJson(parsed), cancellationToken);
        });
        return command;
    }

    private static Command Call()
    {
        var name = new Argument<string>("name") { Description = "The actor." };
        var method = new Argument<string>("method") { Description = "The method." };
        var words = new Argument<string[]>("arguments")
        {
            Description = "Its arguments in their order, each as JSON or as text; or all of them as one JSON array, or one JSON object by their names.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var timeout = new Option<double>("--timeout") { Description = "Seconds that the call may take.", DefaultValueFactory = _ => 30 };
        var command = new Command("call", "Calls a method and prints its result as JSON.") { name, method, words, timeout };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var client = FlusterCommand.Connect(parsed);
            var endpoint = await FindAsync(client, parsed.GetValue(name)!, cancellationToken);
            using var door = new ActorDoor(ClusterResolver.Resolved(endpoint), client.Token);
            try
            {
                Output.Line(await door.CallAsync(endpoint.Name, parsed.GetValue(method)!, TypedArguments.ToJson(parsed.GetValue(words) ?? []), TimeSpan.FromSeconds(parsed.GetValue(timeout)), cancellationToken));
                return 0;
            }
            catch (RemoteActorException exception)
            {
                Output.Problem(exception.Message);
                return 1;
            }
        });
        return command;
    }

    private static async Task<int> ListAsync(FlusterClient client, bool json, CancellationToken cancellationToken)
    {
        var actors = (await client.EndpointRegistry.ListAsync(client.Namespace, "", cancellationToken)).Where(IsActor).ToList();
        if (json)
        {
            Output.Json([.. actors.Select(EndpointView.From)], ViewJson.Default.IReadOnlyListEndpointView);
            return 0;
        }

        if (actors.Count == 0)
        {
            Output.Note($"There are no actors in the namespace {client.Namespace}.");
            return 0;
        }

        var now = TimeProvider.System.GetUtcNow();
        var table = new TextTable("NAME", "ID", "ADDRESS", "OWNER", "AGE");
        foreach (var actor in actors)
        {
            var id = $"{actor.Name}-{actor.Metadata[ResolvedEndpoint.HandleKey][..8]}";
            table.Add(actor.Name, id, actor.Address, actor.OwnerJob?.ToString() ?? actor.OwnerRegistration?.ToString() ?? "-", Words.Time(now - actor.RegisteredAt));
        }

        table.Write();
        return 0;
    }

    private static async Task<int> MethodsAsync(FlusterClient client, string name, bool json, CancellationToken cancellationToken)
    {
        var endpoint = await FindAsync(client, name, cancellationToken);
        using var door = new ActorDoor(ClusterResolver.Resolved(endpoint), client.Token);
        var methods = await door.MethodsAsync(endpoint.Name, s_patience, cancellationToken);
        if (json)
        {
            Output.Json([.. methods.Select(method => new MethodView(method.Signature, method.Documentation.Length == 0 ? null : method.Documentation))], ViewJson.Default.IReadOnlyListMethodView);
            return 0;
        }

        foreach (var (signature, documentation) in methods)
        {
            Output.Line(documentation.Length == 0 ? signature : $"{signature}    {documentation}");
        }

        return 0;
    }

    private static async Task<RegisteredEndpoint> FindAsync(FlusterClient client, string name, CancellationToken cancellationToken)
    {
        var found = await client.EndpointRegistry.LookupAsync(client.Namespace, name, cancellationToken);
        if (found.FirstOrDefault(IsActor) is { } actor)
        {
            return actor;
        }

        var all = await client.EndpointRegistry.ListAsync(client.Namespace, "", cancellationToken);
        var names = all.Where(IsActor).Select(endpoint => endpoint.Name).Distinct(StringComparer.Ordinal).ToList();
        throw new CommandFailedException(found.Count > 0
            ? $"'{name}' is an endpoint, but not of an actor."
            : $"There is no actor '{name}' in the namespace {client.Namespace}. {(names.Count == 0 ? "There are none." : $"There are: {string.Join(", ", names)}.")}");
    }

    private static bool IsActor(RegisteredEndpoint endpoint) =>
        endpoint.Metadata.TryGetValue(ResolvedEndpoint.HandleKey, out var handle) && handle.Length >= 8 && endpoint.Address.StartsWith("http", StringComparison.Ordinal);
}
