using System.Net.Sockets;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Fluster.Cluster;

/// <summary>Types whose values cannot travel, each with the reason and what to do instead.</summary>
internal static class RefusedTypes
{
    private const string OfThisProcess = "it belongs to this process; make one in the job";

    private static readonly (Type Type, string Reason)[] s_reasons =
    [
        (typeof(Stream), "an open stream belongs to this process; send the path or the bytes, and open it in the job"),
        (typeof(TextReader), "an open reader belongs to this process; send the path or the text"),
        (typeof(TextWriter), "an open writer belongs to this process; write to Console, or return the text"),
        (typeof(CancellationToken), "give the method a CancellationToken parameter instead: it becomes FlusterContext.Stopping"),
        (typeof(CancellationTokenSource), "give the method a CancellationToken parameter instead: it becomes FlusterContext.Stopping"),
        (typeof(IClusterController), "a job reaches its cluster by FlusterContext.Current.Controller"),
        (typeof(IEndpointReader), "a job reaches its cluster by FlusterContext.Current.Controller"),
        (typeof(FlusterContext), "a job has its own: FlusterContext.Current"),
        (typeof(JobHandle), "it belongs to this process; send its Id"),
        (typeof(Delegate), "what a delegate refers to lives in this process; call the method in the job instead"),
        (typeof(Task), "it runs in this process; await it and send its result"),
        (typeof(ValueTask), "it runs in this process; await it and send its result"),
        (typeof(Thread), OfThisProcess),
        (typeof(WaitHandle), OfThisProcess),
        (typeof(Socket), OfThisProcess),
        (typeof(SafeHandle), OfThisProcess),
        (typeof(CriticalHandle), OfThisProcess),
        (typeof(Timer), OfThisProcess),
        (typeof(SynchronizationContext), OfThisProcess),
        (typeof(TaskScheduler), OfThisProcess),
        (typeof(IServiceProvider), OfThisProcess),
        (typeof(nint), "an address means nothing in another process"),
        (typeof(nuint), "an address means nothing in another process"),
        (typeof(MemberInfo), "types never travel as data; send its name"),
        (typeof(Assembly), "types never travel as data; send its name"),
        (typeof(Exception), "exceptions do not travel as values; send what you need of it"),
        (typeof(System.Linq.Expressions.Expression), "code does not travel as data; call the method in the job instead"),
    ];

    private static readonly Type[] s_genericTasks = [typeof(ValueTask<>), typeof(IAsyncEnumerable<>), typeof(IAsyncEnumerator<>), typeof(IEnumerator<>), typeof(Lazy<>)];

    private static readonly Type[] s_upsideDown = [typeof(Stack<>), typeof(System.Collections.Concurrent.ConcurrentStack<>), typeof(System.Collections.Immutable.ImmutableStack<>)];

    /// <summary>Why no value of this type can travel; null when some can, as far as this list knows.</summary>
    public static string? ReasonFor(Type type)
    {
        if (type.IsPointer || type.IsByRef || type.IsByRefLike || type.IsFunctionPointer)
        {
            return "an address means nothing in another process";
        }

        if (type == typeof(object))
        {
            return "an object's type would be lost on the way; declare the variable with the type that it holds";
        }

        foreach (var (refused, reason) in s_reasons)
        {
            if (refused.IsAssignableFrom(type))
            {
                return reason;
            }
        }

        if (type.IsGenericType && type.GetGenericTypeDefinition() is var definition)
        {
            if (s_upsideDown.Contains(definition))
            {
                return "a stack would arrive upside down; send an array or a list";
            }

            return s_genericTasks.Contains(definition) ? "it runs in this process; send its results" : null;
        }

        return null;
    }

    /// <summary>Why the fields of this type are not all that it is; null when they are.</summary>
    public static string? ReasonForFields(Type type)
    {
        if (type.IsInterface || type.IsAbstract)
        {
            return "it is an abstract type, and what is behind it would be lost on the way; declare the variable with the type that it holds";
        }

        if (IsFramework(type))
        {
            return IsOpenStruct(type) || IsTuple(type) ? null : "JSON would lose its state; send what you need of it";
        }

        for (var parent = type.BaseType; parent is not null && parent != typeof(object) && parent != typeof(ValueType); parent = parent.BaseType)
        {
            if (IsFramework(parent) && HasState(parent))
            {
                return $"it derives from {TypeNames.Of(parent)}, whose state would be lost; send what you need of it";
            }
        }

        return null;
    }

    /// <summary>Whether the type is part of .NET: its private fields are not for us to set.</summary>
    public static bool IsFramework(Type type)
    {
        var name = type.Assembly.GetName().Name ?? "";
        return name is "System" or "mscorlib" or "netstandard" or "WindowsBase" || name.StartsWith("System.", StringComparison.Ordinal)
            || name.StartsWith("Microsoft.", StringComparison.Ordinal) && !name.StartsWith("Microsoft.CodeAnalysis.", StringComparison.Ordinal);
    }

    private static bool HasState(Type type) => AllFields(type).Length > 0;

    private static bool IsOpenStruct(Type type) => type.IsValueType && AllFields(type).Length > 0 && AllFields(type).All(field => field.IsPublic);

    private static bool IsTuple(Type type) => type.FullName?.StartsWith("System.Tuple`", StringComparison.Ordinal) == true || type.FullName?.StartsWith("System.Collections.Generic.KeyValuePair`", StringComparison.Ordinal) == true;

    private static FieldInfo[] AllFields(Type type) => type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic);
}
