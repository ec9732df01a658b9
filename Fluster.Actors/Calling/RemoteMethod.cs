using System.Collections.Concurrent;
using System.Reflection;
using System.Text;
using System.Text.Json;

namespace Fluster.Actors;

/// <summary>One method of an interface as its caller sees it: writes arguments, makes the call, and returns what the method returns.</summary>
internal abstract class RemoteMethod
{
    private static readonly ConcurrentDictionary<MethodInfo, RemoteMethod> s_known = new();

    private readonly string _name;
    private readonly Type[] _parameters;

    private RemoteMethod(MethodInfo method)
    {
        _name = method.Name;
        _parameters = [.. method.GetParameters().Select(parameter => parameter.ParameterType)];
    }

    public static RemoteMethod Of(MethodInfo method) => s_known.GetOrAdd(method, Create);

    /// <summary>Why a member of an interface cannot be called remotely; null when it can.</summary>
    public static string? Problem(MemberInfo member)
    {
        var name = $"{member.DeclaringType!.Name}.{member.Name}";
        return member switch
        {
            PropertyInfo => $"{name} is a property: only methods can be called on an actor.",
            EventInfo => $"{name} is an event: only methods can be called on an actor.",
            MethodInfo { IsSpecialName: true } => null, // its property or event is named instead
            MethodInfo { IsGenericMethodDefinition: true } => $"{name} is generic: an actor's methods have fixed types.",
            MethodInfo method when method.GetParameters().Any(parameter => parameter.ParameterType.IsByRef || parameter.ParameterType.IsByRefLike) =>
                $"{name} has a parameter that refers to memory (ref, out or span): arguments travel as copies.",
            MethodInfo method when !ActorResult.CanTravel(method.ReturnType) => $"{name} returns {method.ReturnType.Name}, which cannot be sent.",
            _ => null,
        };
    }

    /// <summary>Makes the call and returns what the method's signature says.</summary>
    public abstract object? Call(ActorCaller caller, object?[] arguments);

    private static RemoteMethod Create(MethodInfo method)
    {
        var type = method.ReturnType;
        if (type == typeof(Task) || type == typeof(ValueTask) || type == typeof(void))
        {
            return new ReturningNothing(method);
        }

        var kind = type.IsGenericType ? type.GetGenericTypeDefinition() : null;
        var (returning, value) =
            kind == typeof(Task<>) ? (typeof(ReturningTask<>), type.GetGenericArguments()[0])
            : kind == typeof(ValueTask<>) ? (typeof(ReturningValueTask<>), type.GetGenericArguments()[0])
            : (typeof(ReturningValue<>), type);
        return (RemoteMethod)Activator.CreateInstance(returning.MakeGenericType(value), method)!;
    }

    private Task<string> SendAsync(ActorCaller caller, object?[] arguments)
    {
        var json = Write(arguments, out var cancellationToken);
        return caller.CallAsync(_name, json, cancellationToken);
    }

    private string Write(object?[] arguments, out CancellationToken cancellationToken)
    {
        cancellationToken = CancellationToken.None;
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartArray();
            for (var i = 0; i < _parameters.Length; i++)
            {
                if (arguments[i] is CancellationToken token)
                {
                    cancellationToken = token;
                    continue;
                }

                JsonSerializer.Serialize(json, arguments[i], _parameters[i], ActorJson.Options);
            }

            json.WriteEndArray();
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    private async Task<TResult> CallAsync<TResult>(ActorCaller caller, object?[] arguments)
    {
        var value = await SendAsync(caller, arguments).ConfigureAwait(false);
        return JsonSerializer.Deserialize<TResult>(value, ActorJson.Options)!;
    }

    private sealed class ReturningNothing(MethodInfo method) : RemoteMethod(method)
    {
        private readonly Type _type = method.ReturnType;

        public override object? Call(ActorCaller caller, object?[] arguments)
        {
            var sent = SendAsync(caller, arguments);
            if (_type == typeof(Task))
            {
                return sent;
            }

            if (_type == typeof(ValueTask))
            {
                return new ValueTask(sent);
            }

            sent.GetAwaiter().GetResult();
            return null;
        }
    }

    private sealed class ReturningTask<TResult>(MethodInfo method) : RemoteMethod(method)
    {
        public override object? Call(ActorCaller caller, object?[] arguments) => CallAsync<TResult>(caller, arguments);
    }

    private sealed class ReturningValueTask<TResult>(MethodInfo method) : RemoteMethod(method)
    {
        public override object? Call(ActorCaller caller, object?[] arguments) => new ValueTask<TResult>(CallAsync<TResult>(caller, arguments));
    }

    private sealed class ReturningValue<TResult>(MethodInfo method) : RemoteMethod(method)
    {
        public override object? Call(ActorCaller caller, object?[] arguments) => CallAsync<TResult>(caller, arguments).GetAwaiter().GetResult();
    }
}
