using System.Reflection;
using System.Runtime.CompilerServices;

namespace Fluster.Actors;

/// <summary>Runs the public methods of a class that no dispatcher was generated for.</summary>
internal sealed class ReflectedDispatcher : ActorDispatcher
{
    private readonly ReflectedMethod[] _methods;
    private readonly ActorMethodShape[] _shapes;

    private ReflectedDispatcher(ReflectedMethod[] methods)
    {
        _methods = methods;
        _shapes = [.. methods.Select(method => method.Shape)];
    }

    public override IReadOnlyList<ActorMethodShape> Methods => _shapes;

    public static ActorDispatcher Create(Type type) => new ReflectedDispatcher(
        [.. WithoutHidden([.. type.GetMethods(BindingFlags.Public | BindingFlags.Instance).Where(CanBeCalled)]).Select(method => new ReflectedMethod(method))]);

    public override ValueTask InvokeAsync(int method, object actor, ActorServerCall call) => _methods[method].InvokeAsync(actor, call);

    /// <summary>Whether a public method can be called from elsewhere.</summary>
    public static bool CanBeCalled(MethodInfo method) =>
        !method.IsSpecialName // accessors of properties and events, operators
        && !method.IsGenericMethodDefinition
        && !method.IsDefined(typeof(CompilerGeneratedAttribute), inherit: false) // what records have beside the user's
        && method.GetBaseDefinition().DeclaringType != typeof(object)
        && !IsDispose(method)
        && method.GetParameters().All(parameter => !parameter.ParameterType.IsByRef && !parameter.ParameterType.IsPointer && !parameter.ParameterType.IsByRefLike)
        && !method.ReturnType.IsByRef && !method.ReturnType.IsPointer && !method.ReturnType.IsByRefLike;

    // Of a base's method that a class declares anew, with the same parameters, callers know one.
    private static IEnumerable<MethodInfo> WithoutHidden(List<MethodInfo> methods) => methods.Where(method => !methods.Exists(nearer =>
        nearer != method && nearer.Name == method.Name && nearer.DeclaringType!.IsSubclassOf(method.DeclaringType!)
        && nearer.GetParameters().Select(parameter => parameter.ParameterType).SequenceEqual(method.GetParameters().Select(parameter => parameter.ParameterType))));

    private static bool IsDispose(MethodInfo method) =>
        method.GetParameters().Length == 0
        && (method.Name == nameof(IDisposable.Dispose) && method.DeclaringType!.IsAssignableTo(typeof(IDisposable))
            || method.Name == nameof(IAsyncDisposable.DisposeAsync) && method.DeclaringType!.IsAssignableTo(typeof(IAsyncDisposable)));
}
