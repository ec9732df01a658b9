namespace Fluster.Actors.Generator;

// What is written, as values without symbols: when they are equal to those of the last run, nothing is written anew.

/// <summary>How a method gives what it has to give.</summary>
internal enum ReturnKind
{
    Nothing,
    Task,
    ValueTask,
    Value,
    TaskOfValue,
    ValueTaskOfValue,
    Stream,
}

/// <param name="Name">As the caller knows it.</param>
/// <param name="Type">As it is declared, in code.</param>
/// <param name="Plain">The type without annotations of null.</param>
/// <param name="IsToken">A cancellation token is wired, not sent.</param>
/// <param name="Default">The default value in code; null when it has none.</param>
internal sealed record ParameterModel(string Name, string Type, string Plain, bool IsToken, string? Default);

/// <param name="Name">The name.</param>
/// <param name="Owner">The type that declares it.</param>
/// <param name="Return">How it returns.</param>
/// <param name="ReturnType">What it returns, in code.</param>
/// <param name="Value">The type of the value or of one item; empty when there is none.</param>
/// <param name="Parameters">All of them.</param>
/// <param name="Signature">For people.</param>
/// <param name="IsIdempotent">Whether it says so.</param>
/// <param name="Documentation">Its summary.</param>
internal sealed record MethodModel(
    string Name,
    string Owner,
    ReturnKind Return,
    string ReturnType,
    string Value,
    Sequence<ParameterModel> Parameters,
    string Signature,
    bool IsIdempotent,
    string Documentation)
{
    /// <summary>How many arguments must be sent; those after them have default values.</summary>
    public int Required
    {
        get
        {
            var required = 0;
            var sent = 0;
            foreach (var parameter in Parameters)
            {
                if (!parameter.IsToken)
                {
                    sent++;
                    required = parameter.Default is null ? sent : required;
                }
            }

            return required;
        }
    }
}

/// <summary>An interface that a proxy is written for, or a class that a dispatcher is written for.</summary>
/// <param name="Type">In code.</param>
/// <param name="Name">The name of what is written.</param>
/// <param name="Methods">Those that can be called.</param>
internal sealed record ActorModel(string Type, string Name, Sequence<MethodModel> Methods);

/// <summary>How a type is described to the JSON serializer.</summary>
internal enum JsonKind
{
    Value,
    Nullable,
    Enum,
    Array,
    List,
    Dictionary,
    Object,
}

/// <param name="Type">In code.</param>
/// <param name="Kind">How it is described.</param>
/// <param name="Detail">The converter's name, or the type of the elements.</param>
/// <param name="Object">For objects.</param>
internal sealed record JsonTypeModel(string Type, JsonKind Kind, string Detail, JsonObjectModel? Object);

/// <param name="IsValueType">Whether it is a struct.</param>
/// <param name="HasRequired">Whether there are members that an object initializer must set: then it is made past the compiler.</param>
/// <param name="Parameters">Those of the constructor.</param>
/// <param name="Members">In the order in which they are written.</param>
internal sealed record JsonObjectModel(bool IsValueType, bool HasRequired, Sequence<JsonParameterModel> Parameters, Sequence<JsonMemberModel> Members);

internal sealed record JsonParameterModel(string Name, string Type, string? Default);

/// <summary>How a member is set.</summary>
internal enum JsonSetter
{
    None,
    Assign,

    /// <summary>It is set by initializers only: past the compiler.</summary>
    Initialize,
}

internal sealed record JsonMemberModel(string Name, string Type, string Owner, bool IsProperty, bool HasGetter, JsonSetter Setter, bool IsRequired);

/// <summary>What one place in the source asks for.</summary>
internal sealed record ActorUse(ActorModel? Proxy, ActorModel? Dispatcher, Sequence<JsonTypeModel> Types);
