using System.Reflection;
using System.Text.Json;
using Fluster.Cluster;

namespace Fluster.Actors;

/// <summary>One object that serves calls, and its methods that can be called.</summary>
internal sealed class HostedActor : IDisposable
{
    private static readonly JsonElement s_noArguments = JsonDocument.Parse("[]").RootElement;
    private static readonly JsonDocumentOptions s_argumentLimits = new() { MaxDepth = 64 };

    private readonly object _instance;
    private readonly ILookup<string, ActorMethod> _methods;
    private readonly ActorMailbox _mailbox = new();

    public HostedActor(string name, object instance)
    {
        Name = name;
        _instance = instance;
        _methods = instance.GetType().GetMethods(BindingFlags.Public | BindingFlags.Instance)
            .Select(ActorMethod.TryCreate)
            .OfType<ActorMethod>()
            .ToLookup(method => method.Name, StringComparer.Ordinal);
    }

    public string Name { get; }

    /// <summary>Whether it has a method of that name, whatever its parameters.</summary>
    public bool Has(string method) => _methods.Contains(method);

    /// <summary>Waits for the actor's turn, calls the method and returns its result as JSON.</summary>
    /// <exception cref="ArgumentMismatchException">The arguments do not fit any method of that name.</exception>
    public async Task<string> CallAsync(string name, string arguments, FlusterContext? context, CancellationToken cancellationToken)
    {
        using var document = Parse(arguments);
        var sent = document?.RootElement ?? s_noArguments;
        var method = Choose(name, sent);
        var values = method.ReadArguments(sent, cancellationToken);
        return await _mailbox.RunAsync(() => method.InvokeAsync(_instance, values), context, cancellationToken).ConfigureAwait(false);
    }

    public void Dispose() => _mailbox.Dispose();

    private static JsonDocument? Parse(string arguments)
    {
        if (arguments.Length == 0)
        {
            return null;
        }

        try
        {
            var document = JsonDocument.Parse(arguments, s_argumentLimits);
            if (document.RootElement.ValueKind is JsonValueKind.Array or JsonValueKind.Object)
            {
                return document;
            }

            document.Dispose();
        }
        catch (JsonException exception)
        {
            throw new ArgumentMismatchException($"The arguments are not JSON: {exception.Message}", exception);
        }

        throw new ArgumentMismatchException("The arguments must be a JSON array, in the order of the parameters, or a JSON object by their names.");
    }

    private ActorMethod Choose(string name, JsonElement arguments)
    {
        var count = arguments.ValueKind == JsonValueKind.Array ? arguments.GetArrayLength() : arguments.EnumerateObject().Count();
        var fitting = _methods[name].Where(method => method.Takes(count)).ToList();
        return fitting.Count switch
        {
            1 => fitting[0],
            0 => throw new ArgumentMismatchException($"{count} arguments do not fit: {string.Join(" or ", _methods[name])}."),
            // The exact number wins over one that leaves default values out; two of the same number cannot be told apart.
            _ when fitting.Where(method => method.ArgumentCount == count).ToList() is [var exact] => exact,
            _ => throw new ArgumentMismatchException($"{count} arguments fit more than one: {string.Join(" or ", fitting)}."),
        };
    }
}
