using System.CommandLine;
using System.Text.Json;
using Fluster.Cluster;

namespace Fluster.Cli;

/// <summary><c>fluster endpoints</c></summary>
internal static class EndpointCommands
{
    public static Command Build()
    {
        var prefix = new Argument<string>("prefix") { Description = "Only names that begin so. Default: all.", Arity = ArgumentArity.ZeroOrOne, DefaultValueFactory = _ => "" };
        var watch = new Option<bool>("--watch", "-w") { Description = "Goes on with a line for each one that comes (+) or goes (-), until Ctrl+C." };
        var command = new Command("endpoints", "Lists the endpoints of the namespace: which names lead where, and who owns them.") { prefix, watch };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var client = FlusterCommand.Connect(parsed);
            var wanted = parsed.GetValue(prefix) ?? "";
            return parsed.GetValue(watch)
                ? await WatchAsync(client, wanted, FlusterCommand.IsJson(parsed), cancellationToken)
                : await ListAsync(client, wanted, FlusterCommand.IsJson(parsed), cancellationToken);
        });
        return command;
    }

    private static async Task<int> ListAsync(FlusterClient client, string prefix, bool json, CancellationToken cancellationToken)
    {
        var endpoints = await client.EndpointRegistry.ListAsync(client.Namespace, prefix, cancellationToken);
        if (json)
        {
            Output.Json([.. endpoints.Select(EndpointView.From)], ViewJson.Default.IReadOnlyListEndpointView);
            return 0;
        }

        if (endpoints.Count == 0)
        {
            Output.Note(prefix.Length == 0 ? $"There are no endpoints in the namespace {client.Namespace}." : $"No endpoint in the namespace {client.Namespace} begins with '{prefix}'.");
            return 0;
        }

        var now = TimeProvider.System.GetUtcNow();
        var table = new TextTable("NAME", "ADDRESS", "OWNER", "AGE", "METADATA");
        foreach (var endpoint in endpoints)
        {
            table.Add(endpoint.Name, endpoint.Address, OwnerOf(endpoint), Words.Time(now - endpoint.RegisteredAt), MetadataOf(endpoint));
        }

        table.Write();
        return 0;
    }

    private static async Task<int> WatchAsync(FlusterClient client, string prefix, bool json, CancellationToken cancellationToken)
    {
        var known = new Dictionary<EndpointId, RegisteredEndpoint>();
        await foreach (var update in client.EndpointRegistry.WatchPrefixAsync(client.Namespace, prefix, cancellationToken))
        {
            // After a restart of the controller the whole list comes again: only what is different in it is news.
            var there = update.Registered.Select(endpoint => endpoint.Id).ToHashSet();
            var gone = update.IsReset ? known.Keys.Where(id => !there.Contains(id)).ToList() : update.Removed;
            foreach (var id in gone)
            {
                if (known.Remove(id, out var endpoint))
                {
                    Write("removed", '-', endpoint, json);
                }
            }

            foreach (var endpoint in update.Registered)
            {
                if (known.TryAdd(endpoint.Id, endpoint))
                {
                    Write("registered", '+', endpoint, json);
                }
            }
        }

        return 0;
    }

    private static void Write(string change, char sign, RegisteredEndpoint endpoint, bool json) => Output.Line(json
        ? JsonSerializer.Serialize(new EndpointChangeView(change, EndpointView.From(endpoint)), LineJson.Default.EndpointChangeView)
        : $"{sign} {endpoint.Name}  {endpoint.Address}  {OwnerOf(endpoint)}");

    private static string OwnerOf(RegisteredEndpoint endpoint) => endpoint.OwnerJob?.ToString() ?? endpoint.OwnerRegistration?.ToString() ?? "-";

    private static string MetadataOf(RegisteredEndpoint endpoint) =>
        string.Join(' ', endpoint.Metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"{pair.Key}={pair.Value}"));
}
