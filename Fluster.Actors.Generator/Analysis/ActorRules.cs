using Microsoft.CodeAnalysis;

namespace Fluster.Actors.Generator;

/// <summary>What is said about interfaces and classes of actors. Where the run time refuses too, its words are these.</summary>
internal static class ActorRules
{
    public static readonly DiagnosticDescriptor NoMethod = Error(
        "FLA001", "Only methods can be called on an actor", "{0} is {1}: only methods can be called on an actor");

    public static readonly DiagnosticDescriptor GenericMethod = Error(
        "FLA002", "An actor's methods have fixed types", "{0} is generic: an actor's methods have fixed types");

    public static readonly DiagnosticDescriptor MemoryParameter = Error(
        "FLA003", "Arguments travel as copies", "{0} has a parameter that refers to memory (ref, out or span): arguments travel as copies");

    public static readonly DiagnosticDescriptor Unsendable = Error(
        "FLA004", "What is returned cannot be sent", "{0} returns {1}, which cannot be sent");

    public static readonly DiagnosticDescriptor UnsendableValue = Error(
        "FLA005", "A value of this type cannot be sent", "{0} {1} {2}, which cannot be sent: {3}");

    public static readonly DiagnosticDescriptor Clash = Error(
        "FLA006", "Overloads of an actor differ in the number of their arguments", "{0} takes as many arguments as another method of that name: a call tells them apart only by their number");

    public static readonly DiagnosticDescriptor NoInterface = Error(
        "FLA007", "Actors are called through an interface", "{0} is not an interface: actors are called through an interface with their methods");

    public static readonly DiagnosticDescriptor AsyncVoid = new(
        "FLA008", "An actor's method is async void", "{0} is async void: its caller is answered before it has run, and what it throws ends the process; return a Task", Category, DiagnosticSeverity.Warning, isEnabledByDefault: true);

    public static readonly DiagnosticDescriptor Blocking = new(
        "FLA009", "A method of a client blocks", "{0} blocks the calling thread until its result is there: return a Task or a ValueTask", Category, DiagnosticSeverity.Info, isEnabledByDefault: true);

    private const string Category = "Fluster.Actors";

    private static DiagnosticDescriptor Error(string id, string title, string message) =>
        new(id, title, message, Category, DiagnosticSeverity.Error, isEnabledByDefault: true);
}
