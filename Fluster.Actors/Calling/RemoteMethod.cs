using System.Collections.Concurrent;
using System.Reflection;

namespace Fluster.Actors;

/// <summary>One method of an interface that no client was generated for: writes arguments, makes the call, and returns what the method returns.</summary>
internal abstract class RemoteMethod
{
    private static readonly ConcurrentDictionary<MethodInfo, RemoteMethod> s_known = new();

    private readonly ActorMethodShape _shape;
    private readonly ReflectedValue?[] _parameters; // null: a cancellation token

    private RemoteMethod(MethodInfo method)
    {
        _shape = ReflectedMethod.ShapeOf(method);
        _parameters = [.. method.GetParameters().Select(parameter => ReflectedMethod.IsSent(parameter) ? ReflectedValue.Of(parameter.ParameterType) : null)];
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
            MethodInfo method when method.GetParameters().Any(parameter => parameter.ParameterType.IsByRef || parameter.ParameterType.IsPointer || parameter.ParameterType.IsByRefLike) =>
                $"{name} has a parameter that refers to memory (ref, out or span): arguments travel as copies.",
            MethodInfo method when method.ReturnType.IsByRef || method.ReturnType.IsPointer || method.ReturnType.IsByRefLike => $"{name} returns {method.ReturnType.Name}, which cannot be sent.",
            _ => null,
        };
    }

    /// <summary>Makes the call and returns what the method's signature says.</summary>
    public abstract object? Call(ActorInvoker invoker, object?[] arguments);

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
            : kind == typeof(IAsyncEnumerable<>) ? (typeof(ReturningStream<>), type.GetGenericArguments()[0])
            : (typeof(ReturningValue<>), type);
        return (RemoteMethod)Activator.CreateInstance(returning.MakeGenericType(value), method)!;
    }

    private ActorCall Begin(ActorInvoker invoker, object?[] arguments, out CancellationToken cancellationToken)
    {
        cancellationToken = CancellationToken.None;
        var call = invoker.Begin(_shape);
        for (var i = 0; i < _parameters.Length; i++)
        {
            if (_parameters[i] is { } parameter)
            {
                parameter.Write(call.Arguments, arguments[i]);
            }
            else
            {
                cancellationToken = (CancellationToken)arguments[i]!;
            }
        }

        return call;
    }

    private sealed class ReturningNothing(MethodInfo method) : RemoteMethod(method)
    {
        private readonly Type _type = method.ReturnType;

        public override object? Call(ActorInvoker invoker, object?[] arguments)
        {
            var sent = invoker.SendAsync(Begin(invoker, arguments, out var cancellationToken), cancellationToken);
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
        public override object? Call(ActorInvoker invoker, object?[] arguments) =>
            invoker.SendAsync(Begin(invoker, arguments, out var cancellationToken), ActorCodec.For<TResult>(), cancellationToken);
    }

    private sealed class ReturningValueTask<TResult>(MethodInfo method) : RemoteMethod(method)
    {
        public override object? Call(ActorInvoker invoker, object?[] arguments) =>
            new ValueTask<TResult>(invoker.SendAsync(Begin(invoker, arguments, out var cancellationToken), ActorCodec.For<TResult>(), cancellationToken));
    }

    private sealed class ReturningValue<TResult>(MethodInfo method) : RemoteMethod(method)
    {
        public override object? Call(ActorInvoker invoker, object?[] arguments) =>
            invoker.SendAsync(Begin(invoker, arguments, out var cancellationToken), ActorCodec.For<TResult>(), cancellationToken).GetAwaiter().GetResult();
    }

    private sealed class ReturningStream<TItem>(MethodInfo method) : RemoteMethod(method)
    {
        // The arguments are written when the stream is read: it may be read more than once, and is another call each time.
        public override object? Call(ActorInvoker invoker, object?[] arguments) => ReadAsync(invoker, arguments);

        private async IAsyncEnumerable<TItem> ReadAsync(ActorInvoker invoker, object?[] arguments, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken reading = default)
        {
            var call = Begin(invoker, arguments, out var cancellationToken);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(reading, cancellationToken);
            await foreach (var item in invoker.StreamAsync(call, ActorCodec.For<TItem>(), either.Token).ConfigureAwait(false))
            {
                yield return item;
            }
        }
    }
}
