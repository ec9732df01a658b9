using System.Reflection;
using System.Text.Json;

namespace Fluster.Actors;

/// <summary>One method that can be called from elsewhere: reads its arguments from JSON, runs it, writes its result as JSON.</summary>
internal sealed class ActorMethod
{
    private readonly MethodInfo _method;
    private readonly MethodInvoker _invoker;
    private readonly ParameterInfo[] _parameters;
    private readonly ActorResult _result;
    private readonly int _required;

    private ActorMethod(MethodInfo method)
    {
        _method = method;
        _invoker = MethodInvoker.Create(method);
        _parameters = method.GetParameters();
        _result = ActorResult.Of(method.ReturnType);
        var sent = _parameters.Where(IsSent).ToList();
        ArgumentCount = sent.Count;
        _required = sent.FindLastIndex(parameter => !parameter.HasDefaultValue) + 1;
    }

    /// <summary>How many arguments a caller can send. Cancellation tokens are not among them.</summary>
    public int ArgumentCount { get; }

    public string Name => _method.Name;

    /// <summary>Whether a call with so many arguments fits: parameters with a default value may be left out at the end.</summary>
    public bool Takes(int arguments) => arguments >= _required && arguments <= ArgumentCount;

    /// <summary>The method, if it can be called from elsewhere.</summary>
    public static ActorMethod? TryCreate(MethodInfo method) =>
        !method.IsSpecialName // accessors of properties and events, operators
        && !method.IsGenericMethodDefinition
        && method.GetBaseDefinition().DeclaringType != typeof(object)
        && !IsDispose(method)
        && method.GetParameters().All(parameter => !parameter.ParameterType.IsByRef && !parameter.ParameterType.IsPointer && !parameter.ParameterType.IsByRefLike)
        && ActorResult.CanTravel(method.ReturnType)
            ? new ActorMethod(method)
            : null;

    /// <summary>Reads the arguments of a call, in the order of the parameters.</summary>
    /// <exception cref="ArgumentMismatchException">They do not fit.</exception>
    public object?[] ReadArguments(JsonElement arguments, CancellationToken cancellationToken)
    {
        var values = new object?[_parameters.Length];
        var index = 0;
        for (var i = 0; i < _parameters.Length; i++)
        {
            var parameter = _parameters[i];
            if (!IsSent(parameter))
            {
                values[i] = cancellationToken;
                continue;
            }

            values[i] = Find(arguments, parameter, index, out var sent) ? Read(sent, parameter, index) : Default(parameter);
            index++;
        }

        return values;
    }

    /// <summary>Runs the method and returns its result as JSON; exceptions of the method come out as they are.</summary>
    public async Task<string> InvokeAsync(object actor, object?[] arguments)
    {
        var returned = _invoker.Invoke(actor, arguments.AsSpan());
        return await _result.WriteAsync(returned).ConfigureAwait(false);
    }

    /// <summary>As a person would write it: <c>Add(Int32 a, Int32 b)</c>.</summary>
    public override string ToString() =>
        $"{Name}({string.Join(", ", _parameters.Where(IsSent).Select(parameter => $"{parameter.ParameterType.Name} {parameter.Name}"))})";

    private static bool IsSent(ParameterInfo parameter) => parameter.ParameterType != typeof(CancellationToken);

    private static bool IsDispose(MethodInfo method) =>
        method.GetParameters().Length == 0
        && (method.Name == nameof(IDisposable.Dispose) && method.DeclaringType!.IsAssignableTo(typeof(IDisposable))
            || method.Name == nameof(IAsyncDisposable.DisposeAsync) && method.DeclaringType!.IsAssignableTo(typeof(IAsyncDisposable)));

    private static bool Find(JsonElement arguments, ParameterInfo parameter, int index, out JsonElement sent)
    {
        switch (arguments.ValueKind)
        {
            case JsonValueKind.Array when index < arguments.GetArrayLength():
                sent = arguments[index];
                return true;
            case JsonValueKind.Object when parameter.Name is { } name:
                return arguments.TryGetProperty(name, out sent);
            default:
                sent = default;
                return false;
        }
    }

    private object? Read(JsonElement sent, ParameterInfo parameter, int index)
    {
        try
        {
            return sent.Deserialize(parameter.ParameterType, ActorJson.Options);
        }
        catch (Exception exception) when (exception is JsonException or NotSupportedException)
        {
            throw new ArgumentMismatchException(
                $"Argument {index + 1} ('{parameter.Name}') of {this} is not a {parameter.ParameterType.Name}: {exception.Message}", exception);
        }
    }

    private object? Default(ParameterInfo parameter) => parameter.HasDefaultValue
        ? parameter.DefaultValue ?? (parameter.ParameterType.IsValueType ? Activator.CreateInstance(parameter.ParameterType) : null)
        : throw new ArgumentMismatchException($"{this} needs an argument '{parameter.Name}'.");
}

/// <summary>The arguments of a call do not fit its method.</summary>
internal sealed class ArgumentMismatchException(string message, Exception? innerException = null) : Exception(message, innerException);
