using System.Collections.Concurrent;
using System.ComponentModel;

namespace Fluster.Actors;

/// <summary>Runs the methods of one class of actors for calls from elsewhere. For generated code; there is one for every other class too, made by reflection.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class ActorDispatcher
{
    private readonly ConcurrentDictionary<(string Name, int Arguments), int> _found = new();

    /// <summary>The methods that can be called, by their number.</summary>
    public abstract IReadOnlyList<ActorMethodShape> Methods { get; }

    /// <summary>
    /// Reads the arguments, runs the method and gives its result to the call. What is thrown is the call's answer.
    /// </summary>
    /// <param name="method">Its number.</param>
    /// <param name="actor">The object.</param>
    /// <param name="call">The call.</param>
    /// <returns>Done when the call has its answer.</returns>
    public abstract ValueTask InvokeAsync(int method, object actor, ActorServerCall call);

    /// <summary>The number of the method of that name that takes so many arguments.</summary>
    /// <exception cref="ArgumentMismatchException">There are methods of that name, and none takes so many, or two do.</exception>
    internal int? Find(string name, int arguments)
    {
        if (_found.TryGetValue((name, arguments), out var known))
        {
            return known;
        }

        var named = Enumerable.Range(0, Methods.Count).Where(number => Methods[number].Name == name).ToList();
        if (named.Count == 0)
        {
            return null; // Not remembered: a caller could name any number of methods that do not exist.
        }

        var fitting = named.Where(number => arguments >= Methods[number].Required && arguments <= Methods[number].Parameters.Count).ToList();
        var exact = fitting.Where(number => Methods[number].Parameters.Count == arguments).ToList();
        var one = (fitting, exact) switch
        {
            ([], _) => throw new ArgumentMismatchException($"{arguments} arguments do not fit: {string.Join(" or ", named.Select(number => Methods[number]))}."),
            ([var only], _) => only,
            (_, [var only]) => only, // an exact number wins over one that leaves default values out
            _ => throw new ArgumentMismatchException($"{arguments} arguments fit more than one: {string.Join(" or ", fitting.Select(number => Methods[number]))}."),
        };
        _found.TryAdd((name, arguments), one);
        return one;
    }

    /// <summary>The number of the method of that name whose parameters have these names, or all but some with default values.</summary>
    /// <exception cref="ArgumentMismatchException">There are methods of that name, and none has these parameters, or two have.</exception>
    internal int? Find(string name, IReadOnlyCollection<string> parameters)
    {
        var named = Enumerable.Range(0, Methods.Count).Where(number => Methods[number].Name == name).ToList();
        if (named.Count == 0)
        {
            return null;
        }

        var fitting = named.Where(number => Fits(Methods[number], parameters)).ToList();
        var exact = fitting.Where(number => Methods[number].Parameters.Count == parameters.Count).ToList();
        return (named, fitting, exact) switch
        {
            (_, [var only], _) => only,
            (_, _, [var only]) => only,
            ([var only], [], _) => throw new ArgumentMismatchException(Misfit(Methods[only], parameters)),
            (_, [], _) => throw new ArgumentMismatchException($"The arguments {string.Join(", ", parameters)} fit no method: {string.Join(" or ", named.Select(number => Methods[number]))}."),
            _ => throw new ArgumentMismatchException($"The arguments fit more than one: {string.Join(" or ", fitting.Select(number => Methods[number]))}."),
        };
    }

    private static string Misfit(ActorMethodShape method, IReadOnlyCollection<string> parameters) =>
        method.Parameters.Take(method.Required).FirstOrDefault(parameter => !parameters.Contains(parameter, StringComparer.Ordinal)) is { } missing
            ? $"{method} needs an argument '{missing}'."
            : $"{method} has no parameter '{parameters.First(parameter => !method.Parameters.Contains(parameter, StringComparer.Ordinal))}'.";

    private static bool Fits(ActorMethodShape method, IReadOnlyCollection<string> parameters) =>
        parameters.All(parameter => method.Parameters.Contains(parameter, StringComparer.Ordinal))
        && method.Parameters.Take(method.Required).All(parameter => parameters.Contains(parameter, StringComparer.Ordinal));
}
