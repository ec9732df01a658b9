using System.Reflection;
using System.Runtime.CompilerServices;

namespace Fluster.Actors;

/// <summary>One method that is found and called by reflection.</summary>
internal sealed class ReflectedMethod
{
    private readonly MethodInvoker _invoker;
    private readonly ReflectedValue?[] _parameters; // null: a cancellation token
    private readonly object?[] _defaults;
    private readonly ReflectedReturn _return;

    public ReflectedMethod(MethodInfo method)
    {
        var parameters = method.GetParameters();
        _invoker = MethodInvoker.Create(method);
        _parameters = [.. parameters.Select(parameter => IsSent(parameter) ? ReflectedValue.Of(parameter.ParameterType) : null)];
        _defaults = [.. parameters.Select(DefaultOf)];
        _return = ReflectedReturn.Of(method.ReturnType);
        Shape = ShapeOf(method);
    }

    public ActorMethodShape Shape { get; }

    /// <summary>A method as callers see it, of a class or of an interface.</summary>
    public static ActorMethodShape ShapeOf(MethodInfo method)
    {
        var sent = method.GetParameters().Where(IsSent).ToList();
        return new ActorMethodShape(method.Name, [.. sent.Select(parameter => parameter.Name ?? "")])
        {
            Required = sent.FindLastIndex(parameter => !parameter.HasDefaultValue) + 1,
            Signature = $"({string.Join(", ", sent.Select(parameter => $"{CSharpNames.Of(parameter.ParameterType)} {parameter.Name}"))}) -> {CSharpNames.Of(ReflectedReturn.ValueOf(method.ReturnType))}",
            IsStream = ReflectedReturn.IsStream(method.ReturnType),
            LateDocumentation = new Lazy<string>(() => DocumentationFile.SummaryOf(method)),
            IsIdempotent = method.GetCustomAttribute<IdempotentAttribute>() is not null || method.DeclaringType!.GetCustomAttribute<IdempotentAttribute>() is not null,
        };
    }

    public static bool IsSent(ParameterInfo parameter) => parameter.ParameterType != typeof(CancellationToken);

    public ValueTask InvokeAsync(object actor, ActorServerCall call)
    {
        var values = new object?[_parameters.Length];
        var arguments = call.Arguments;
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = _parameters[i] is { } parameter ? parameter.Read(ref arguments, _defaults[i]) : call.CancellationToken;
        }

        call.ThrowIfExpired();
        return _return.Give(_invoker.Invoke(actor, values.AsSpan()), call);
    }

    private static object? DefaultOf(ParameterInfo parameter) => !parameter.HasDefaultValue
        ? null
        : parameter.DefaultValue ?? (parameter.ParameterType.IsValueType ? RuntimeHelpers.GetUninitializedObject(parameter.ParameterType) : null);
}

/// <summary>Reads and writes values of a type that is only known at run time.</summary>
internal abstract class ReflectedValue
{
    public static ReflectedValue Of(Type type) => (ReflectedValue)Activator.CreateInstance(typeof(OfType<>).MakeGenericType(type))!;

    public abstract object? Read(ref ActorArguments arguments, object? defaultValue);

    public abstract void Write(PayloadWriter writer, object? value);

    private sealed class OfType<T> : ReflectedValue
    {
        private static readonly ActorCodec<T> s_codec = ActorCodec.For<T>();

        public override object? Read(ref ActorArguments arguments, object? defaultValue) =>
            defaultValue is T value ? arguments.ReadOr(s_codec, value) : arguments.ReadOr(s_codec, default!);

        public override void Write(PayloadWriter writer, object? value) => s_codec.Write(writer, (T)value!, copy: false);
    }
}
